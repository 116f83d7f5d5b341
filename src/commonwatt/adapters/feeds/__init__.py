"""Those who publish prices, carbon and weather, each in its own format; see `sources` for which there are."""
