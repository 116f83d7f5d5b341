"""What a member's gateway does, real or simulated: takes orders, reads meters, signs, and forgets nothing."""
