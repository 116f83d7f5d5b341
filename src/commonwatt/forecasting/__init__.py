"""What is likely: baselines and their scores."""
