"""commonwatt: small energy assets act together as a power plant and trade as neighbours."""
