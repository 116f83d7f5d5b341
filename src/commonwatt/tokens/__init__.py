"""What may be held: WATT against stored energy."""
