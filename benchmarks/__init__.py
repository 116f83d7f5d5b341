"""Figures that the project promises, measured beside the machine's own limits in the same run."""
