"""The ways in: what proves that somebody is who they were; pure, no way of them knows a socket, a file or a clock."""
