"""Rules for trading: the WATT book, the slots' market, sealed orders, agents, direct sales."""
