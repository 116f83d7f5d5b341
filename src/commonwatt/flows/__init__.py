"""The stories: they hand one room's nouns to the next."""
