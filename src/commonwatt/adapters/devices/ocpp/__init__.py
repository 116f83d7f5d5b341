"""OCPP 1.6J, 2.0.1 and 2.1: charging stations connect to us, tell what they do, and take charging profiles."""
