"""How things behave: an envelope for the planner and a physical step for each kind."""
