"""How devices are spoken to."""
