"""The roof: what a person touches."""
