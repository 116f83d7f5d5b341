"""Weather as MET Norway publishes it."""
