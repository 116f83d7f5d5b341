"""Rules for cars at stations, and for what storage owes whoever runs the platform."""
