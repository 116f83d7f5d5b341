"""Utility contracts as data: their terms, what they pay, and the states of a window (row W5)."""
