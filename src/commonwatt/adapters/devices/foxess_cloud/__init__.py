"""Fox ESS inverters through the maker's cloud: they are read once a minute at most, and not told anything."""
