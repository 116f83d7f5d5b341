"""The same doors imagined from one seed or replayed from recorded data."""
