"""Whatever speaks MQTT: plugs, meters and inverters through a broker, and Home Assistant both ways."""
