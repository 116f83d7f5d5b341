"""Yardsticks of the prediction machine, each beside a published or recomputed table."""
