"""What cannot be kept and what would cure it; why a device does what it does."""
