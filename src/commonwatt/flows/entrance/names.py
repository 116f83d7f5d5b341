"""Names under which people sign in: one form of what looks alike, and nothing that could be mistaken for markup."""

import re
import unicodedata

from commonwatt.model import Refused

_NAME = re.compile(r"[^\W_](?:[\w.@+\-]{0,62}[^\W_])?")


def folded(name: str) -> str:
    """Return a name as it is looked for: what people type, without regard to case and ways of writing a letter."""
    return unicodedata.normalize("NFKC", name[:256]).casefold().strip()


def check_name(name: str) -> str:
    """Return a new name, folded.

    Raises:
        Refused: It is empty, too long, or holds anything but letters, digits and ``. @ + -`` between them.
    """
    found = folded(name)
    if not _NAME.fullmatch(found):
        raise Refused("a name has up to 64 letters and digits, and . @ + - _ between them", found=repr(name[:80]))
    return found
