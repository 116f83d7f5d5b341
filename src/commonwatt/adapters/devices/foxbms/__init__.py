"""Batteries with foxBMS 2: its limits and level over CAN, its power through the inverter beside it."""
