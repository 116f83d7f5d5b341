"""Devices that speak Modbus TCP, each described by a file of registers instead of code."""
