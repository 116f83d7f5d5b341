"""What was measured: checks that a reading passes before it counts."""
