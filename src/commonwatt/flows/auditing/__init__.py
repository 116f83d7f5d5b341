"""Hold a community's chain against its log: what is anchored, who signed it, what came in and what was paid out."""
