"""Speak with the directories of organisations."""
