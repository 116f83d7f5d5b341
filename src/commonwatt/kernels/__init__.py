"""Compiled twins of slow functions: whole arrays in, whole arrays out, the interpreter's lock released."""
