"""A plain simulator that holds any plan against its problem; no engine shares its code."""
