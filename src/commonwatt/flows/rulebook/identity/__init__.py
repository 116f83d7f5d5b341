"""Rules for who is who: registration, grants of keys, attestations, witnesses."""
