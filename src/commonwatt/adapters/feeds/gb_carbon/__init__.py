"""Carbon intensity of Great Britain as its system operator publishes it."""
