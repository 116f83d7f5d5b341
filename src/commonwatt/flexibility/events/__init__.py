"""What the grid calls for: what is ready, an event as statements, and the answer to one."""
