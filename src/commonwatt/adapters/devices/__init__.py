"""Device adapters, one package a protocol; `driver` finds and opens them."""
