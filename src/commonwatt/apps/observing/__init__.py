"""What whoever runs a community sees of its programs: metrics, traces, events, and whether they are ready."""
