"""The doors to stores, devices and feeds."""
