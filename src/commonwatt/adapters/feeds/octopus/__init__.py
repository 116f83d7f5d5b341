"""Half-hourly tariffs as Octopus Energy publishes them."""
