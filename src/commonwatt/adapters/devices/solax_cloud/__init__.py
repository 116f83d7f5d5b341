"""SolaX inverters through the maker's cloud: they are read, a few minutes late, and not told anything."""
