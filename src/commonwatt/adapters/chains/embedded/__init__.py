"""A chain of our own on this machine: no server, real rules, a log that survives."""
