"""Carbon intensity as Electricity Maps publishes it."""
