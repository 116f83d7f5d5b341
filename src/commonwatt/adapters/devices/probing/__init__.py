"""Looks for devices at an address, in the fewest bytes that tell what is there; one module for each driver's name."""
