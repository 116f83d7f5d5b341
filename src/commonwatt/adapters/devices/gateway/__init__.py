"""The member's gateway: JSON lines over a pipe to a process that holds its own key."""
