"""Rules for what a slot comes to: trades, shares, imbalance, and nobody worse off."""
