"""What people are told of what happened: what deserves it, to whom, by which way, when, and how often it is tried."""
