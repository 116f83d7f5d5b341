"""Call auctions over whole columns of orders, in the order in which people would rather meet."""
