"""What we can shift: constraints in words, the plan, its reasons and its dispatch."""
