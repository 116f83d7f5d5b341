"""Rules for readings: as they come, and where they come late or correct older ones."""
