"""Charging stations over OCPP: they come to us, and are told what they may draw."""
