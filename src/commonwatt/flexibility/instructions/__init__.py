"""Schedules as anyone can read, write and carry them out: the six instructions, and their open format (rows X2, X13).

`commonwatt.flexibility.instructions.table` reads and writes them as a table for people,
`commonwatt.flexibility.instructions.form` as JSON for programs.
"""

from commonwatt.flexibility.instructions.compiling import FULL_W, LEAST_W, compile, merge, powers, verb
from commonwatt.flexibility.instructions.form import FORMAT, Written, read, write

__all__ = ["FORMAT", "FULL_W", "LEAST_W", "Written", "compile", "merge", "powers", "read", "verb", "write"]
