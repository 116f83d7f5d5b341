"""The commonwatt command."""
