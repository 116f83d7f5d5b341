"""Where somebody goes after signing in: on this site, whatever a link says."""

import re
from urllib.parse import urlsplit

HOME = "/"
_PLAIN = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@%/?#]*")


def on_this_site(wanted: str | None) -> str:
    """Return a path on this site: the one that was wanted, or home where that leads elsewhere.

    Browsers take ``//host``, ``/\\host`` and what has line breaks in it for other places than they look.
    """
    if not wanted or len(wanted) > 1_000 or not _PLAIN.fullmatch(wanted) or wanted.startswith("//"):
        return HOME
    parts = urlsplit(wanted)
    return wanted if not parts.scheme and not parts.netloc else HOME
