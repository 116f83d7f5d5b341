"""What a browser was just asked: sealed and given to the browser itself to keep, so that nobody can fill our memory.

A ceremony is good for minutes and once. Its seal is a key of this process: started again, all that are under way begin
anew.
"""

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from commonwatt.model import Refused

GOOD_FOR_S = 300
_NONCE_BYTES = 12
_LONGEST = 3_000


class Ceremonies:
    """Seals what is under way, and opens it once."""

    def __init__(self) -> None:
        self._seal = AESGCM(AESGCM.generate_key(256))
        self._used: dict[bytes, int] = {}  # by nonce: the text of one ceremony can be written in several ways

    def begin(self, kind: str, content: Mapping[str, str], now_s: int) -> str:
        """Return a ceremony for a cookie.

        Args:
            kind: What it is about; it opens nothing else.
            content: What has to be known when the answer comes.
            now_s: Seconds since 1970.
        """
        plain = json.dumps({"content": dict(content), "until_s": now_s + GOOD_FOR_S}).encode()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return urlsafe_b64encode(nonce + self._seal.encrypt(nonce, plain, kind.encode())).decode()

    def open(self, kind: str, sealed: str, now_s: int) -> dict[str, str]:
        """Return what a ceremony holds.

        Raises:
            Refused: It is of another kind, browser or process, too old, or was used.
        """
        try:
            raw = _raw(sealed)
            told = json.loads(self._seal.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], kind.encode()))
        except (ValueError, InvalidTag) as error:
            raise Refused("what is answered was asked of this browser") from error
        if now_s >= told["until_s"] or raw[:_NONCE_BYTES] in self._used:
            raise Refused(f"an answer comes once, within {GOOD_FOR_S} s")
        content: dict[str, str] = told["content"]
        return content

    def used(self, sealed: str, now_s: int) -> None:
        """Let a ceremony be good no more."""
        self._used = {known: until_s for known, until_s in self._used.items() if until_s > now_s}
        self._used[_raw(sealed)[:_NONCE_BYTES]] = now_s + GOOD_FOR_S


def _raw(sealed: str) -> bytes:
    return urlsafe_b64decode(sealed[:_LONGEST])
