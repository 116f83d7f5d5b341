"""Prices, carbon and weather from outside: who publishes them, what was known when, what the log is told."""
