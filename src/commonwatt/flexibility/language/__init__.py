"""Constraints in words: one line of text and one typed value, either made from the other without loss (row X1).

What a calendar states is in `commonwatt.flexibility.language.calendar`, which is loaded by whoever asks for it: reading
calendars takes a library that nothing else needs.
"""

from commonwatt.flexibility.language.reading import Names, Sentence, Statement, parse, read
from commonwatt.flexibility.language.writing import text

__all__ = ["Names", "Sentence", "Statement", "parse", "read", "text"]
