"""Who sells to whom: the slot auction, the WATT book and the agents."""
