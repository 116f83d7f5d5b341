"""Call auctions over whole columns of orders: kernels, and the order in which people would rather meet."""
