"""Weather as Open-Meteo publishes it."""
