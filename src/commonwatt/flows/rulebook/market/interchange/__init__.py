"""Rules for trade between communities that keep a ledger each."""
