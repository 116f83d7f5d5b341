"""The exact engine: a problem as a mixed-integer program, its statements kept by rank, then the least money."""
