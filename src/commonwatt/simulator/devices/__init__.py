"""Simulated devices, each speaking its own protocol on a real socket with a `Plant` behind it."""
