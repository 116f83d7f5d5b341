"""What happened: the Merkle log, its checkpoints and the double-entry accounts."""
