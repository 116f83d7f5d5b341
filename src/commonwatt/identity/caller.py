"""Let a known key fetch what is not for everybody: a signature over what is asked of whom, and when."""

import re
from collections.abc import Iterable

from commonwatt.identity.keys import SigningKey, VerifyingKey
from commonwatt.model import Refused

TOLERANCE_S = 300
"""How far the clocks of both sides may be apart. Whoever overhears a call can repeat it for as long, and gets again
what went over the same line: to keep that line private is the task of TLS."""
_HEADER = re.compile(r"Commonwatt ([0-9a-f]{66})\.([1-9][0-9]{0,11})\.([0-9a-f]{128})")


def sign_call(key: SigningKey, origin: str, target: str, now_s: int) -> str:
    """Return the ``Authorization`` header of a GET.

    Args:
        key: Who asks.
        origin: The log's name, so that what is signed for one log opens no other.
        target: Path and query as they are sent.
        now_s: When, seconds since 1970.
    """
    return f"Commonwatt {key.public.hex()}.{now_s}.{key.sign(_called(origin, target, now_s))}"


def check_call(header: str, origin: str, target: str, now_s: int, known: Iterable[str]) -> str:
    """Return whose call it is: one of the known public keys, 33 bytes in hex.

    Raises:
        Refused: It is no such header, of an unknown key, too old or too new, or not signed for this target.
    """
    found = _HEADER.fullmatch(header)
    if found is None:
        raise Refused("a call is signed: Commonwatt key.time.signature")
    public, called_s = found[1], int(found[2])
    if public not in set(known):
        raise Refused("a call comes from a registered witness", found=public)
    if abs(now_s - called_s) > TOLERANCE_S:
        raise Refused(f"a call is signed within {TOLERANCE_S} s", signed_s=called_s, now_s=now_s)
    if not VerifyingKey(bytes.fromhex(public)).verify(_called(origin, target, called_s), found[3]):
        raise Refused("a call is signed by its key for what it asks", target=target)
    return public


def _called(origin: str, target: str, now_s: int) -> bytes:
    # No request begins like this, they are JSON: a call never passes for one.
    return f"commonwatt call\n{origin}\nGET {target}\n{now_s}\n".encode()
