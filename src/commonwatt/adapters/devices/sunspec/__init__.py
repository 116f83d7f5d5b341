"""Devices that describe themselves by SunSpec models over Modbus TCP."""
