"""The contracts: sources in Vyper, and what they compile to; `artifact` reads it. `scripts/contracts.py` compiles."""
