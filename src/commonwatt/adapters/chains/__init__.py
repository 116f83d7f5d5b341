"""Chains that contracts run on: one embedded, any other by its URL."""
