"""Where logs and keys rest."""
