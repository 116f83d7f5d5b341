"""Payment channels: a gateway or car pays by vouchers, a till takes them, a watchtower claims in time (row H3)."""
