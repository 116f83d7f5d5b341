"""Who is who: keys, signatures and how keys rest."""
