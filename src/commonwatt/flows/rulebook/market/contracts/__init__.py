"""Rules for contracts between a utility and whoever is flexible."""
