"""A day on one page that opens anywhere, offline."""
