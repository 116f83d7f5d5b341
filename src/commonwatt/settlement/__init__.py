"""Who owes what: metered energy against trades and the grid's price."""
