"""Sign in with an Ethereum wallet: the message that it signs, read strictly, and whose signature it is.

Contract wallets, whose signatures only a chain can check (EIP-1271), are not known here.

Source: EIP-4361, its ABNF and section "Message Field Descriptions"; EIP-55; EIP-191.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from commonwatt.identity.keys import CURVE_ORDER, keccak256, recovered, signed_digest
from commonwatt.identity.signing_in.site import Site
from commonwatt.model import InvalidValue, KeyId, Refused, instant

GOOD_FOR_S = 600
_AHEAD_S = 60
"""How far a wallet's clock may be ahead of ours."""
_LONGEST = 4_000
_RESERVED = r"A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;="
_URI = rf"[a-zA-Z][a-zA-Z0-9+.\-]*:(?:[{_RESERVED}]|%[0-9A-Fa-f]{{2}})*"
_TIME = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})"
_MESSAGE = re.compile(
    r"(?:(?P<scheme>[a-zA-Z][a-zA-Z0-9+.\-]*)://)?"
    r"(?P<domain>[A-Za-z0-9\-._~%!$&'()*+,;=:\[\]]+) wants you to sign in with your Ethereum account:\n"
    r"(?P<address>0x[0-9a-fA-F]{40})\n\n"
    rf"(?:(?P<statement>[{_RESERVED} ]+)\n)?\n"
    rf"URI: (?P<uri>{_URI})\n"
    r"Version: (?P<version>1)\n"
    r"Chain ID: (?P<chain_id>\d{1,20})\n"
    r"Nonce: (?P<nonce>[A-Za-z0-9]{8,128})\n"
    rf"Issued At: (?P<issued>{_TIME})"
    rf"(?:\nExpiration Time: (?P<expires>{_TIME}))?"
    rf"(?:\nNot Before: (?P<not_before>{_TIME}))?"
    rf"(?:\nRequest ID: (?P<request>(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{{2}})*))?"
    rf"(?:\nResources:(?P<resources>(?:\n- {_URI})*))?"
)
_SIGNATURE = re.compile(r"(?:0x)?([0-9a-fA-F]{128})([0-9a-fA-F]{2})")
_RECOVERY = {27: 0, 28: 1, 0: 0, 1: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletMessage:
    """What a wallet signed, field by field; times in seconds since 1970."""

    scheme: str | None
    domain: str
    address: KeyId
    statement: str | None
    uri: str
    chain_id: int
    nonce: str
    issued_s: int
    expires_s: int | None
    not_before_s: int | None


def write_message(site: Site, who: str, nonce: str, now_s: int) -> str:
    """Return the message that a wallet is to sign.

    Args:
        site: To which somebody signs in.
        who: The wallet's address.
        nonce: Random letters and digits, good once.
        now_s: Seconds since 1970.

    Raises:
        InvalidValue: The address is none.
    """
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", who):
        raise InvalidValue(f"a wallet's address is 0x and 40 hex digits, was {who[:80]!r}")
    return (
        f"{site.host} wants you to sign in with your Ethereum account:\n{with_checksum(who)}\n\n"
        f"Sign in to an energy community. This moves no money.\n\n"
        f"URI: {site.origin}\nVersion: 1\nChain ID: {site.chain_id}\nNonce: {nonce}\n"
        f"Issued At: {_written(now_s)}\nExpiration Time: {_written(now_s + GOOD_FOR_S)}"
    )


def read_message(text: str) -> WalletMessage:
    """Read a message by its grammar.

    Raises:
        InvalidValue: It is of another form, its address has a wrong checksum, or a time is none.
    """
    found = _MESSAGE.fullmatch(text) if len(text) <= _LONGEST and text.isascii() else None
    if found is None:
        raise InvalidValue("a wallet signs in with a message of EIP-4361")
    told = found.groupdict()
    if with_checksum(told["address"]) != told["address"]:
        raise InvalidValue(f"an address has its checksum (EIP-55), was {told['address']}")
    return WalletMessage(
        scheme=told["scheme"],
        domain=told["domain"],
        address=KeyId(told["address"].lower()),
        statement=told["statement"],
        uri=told["uri"],
        chain_id=int(told["chain_id"]),
        nonce=told["nonce"],
        issued_s=_seconds(told["issued"]),
        expires_s=_seconds(told["expires"]) if told["expires"] else None,
        not_before_s=_seconds(told["not_before"]) if told["not_before"] else None,
    )


def check_wallet(site: Site, nonce: str, text: str, signature: str, now_s: int) -> KeyId:
    """Return whose wallet signed in.

    Args:
        site: To which.
        nonce: That was given for this once.
        text: The message.
        signature: 65 bytes, r, s and v, hex.
        now_s: Seconds since 1970.

    Raises:
        InvalidValue: The message or signature is of another form.
        Refused: The message is for another site, chain or nonce, of another time, or another wallet signed it.
    """
    told = read_message(text)
    if told.domain != site.host or told.scheme not in (None, site.origin.partition(":")[0]):
        raise Refused("a wallet signs in to this site", site=site.host, found=told.domain)
    if told.uri != site.origin and not told.uri.startswith(f"{site.origin}/"):
        raise Refused("a wallet signs in to this site", site=site.origin, found=told.uri)
    if told.chain_id != site.chain_id:
        raise Refused("a wallet signs in on this chain", chain=site.chain_id, found=told.chain_id)
    if told.nonce != nonce:
        raise Refused("a wallet signs what it was just asked to")
    expires_s = min(told.issued_s + GOOD_FOR_S, told.expires_s or told.issued_s + GOOD_FOR_S)
    if not max(told.issued_s, told.not_before_s or 0) - _AHEAD_S <= now_s < expires_s:
        raise Refused(f"a wallet signs in within {GOOD_FOR_S} s", now_s=now_s, issued_s=told.issued_s)
    if _signer(text, signature) != told.address:
        raise Refused("the wallet that is named signs")
    return told.address


def with_checksum(who: str) -> str:
    """Return an address with the letters of its checksum in upper case (EIP-55)."""
    digits = who[2:].lower()
    marks = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(mark, 16) >= 8 else digit for digit, mark in zip(digits, marks, strict=False)
    )


def read_address(text: str) -> KeyId:
    """Return an address that somebody wrote: with its checksum, or in one case throughout, which has none.

    Raises:
        InvalidValue: It is no address, or a letter was mistaken.

    Source: EIP-55, "Implementation" and "Rationale": one case throughout passes unchecked.
    """
    digits = text.removeprefix("0x")
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", text):
        raise InvalidValue(f"an address is 0x and 40 hex digits, was {text[:80]!r}")
    if digits not in (digits.lower(), digits.upper()) and with_checksum(text) != text:
        raise InvalidValue(
            f"the case of an address's letters is its checksum (EIP-55), and that of {text} is wrong: a digit was"
            " mistaken; copy it anew"
        )
    return KeyId(text.lower())


def _signer(text: str, signature: str) -> KeyId | None:
    found = _SIGNATURE.fullmatch(signature)
    recovery = _RECOVERY.get(int(found[2], 16)) if found else None
    if found is None or recovery is None:
        raise InvalidValue("a wallet's signature is 65 bytes: r, s and v")
    compact = bytes.fromhex(found[1])
    if int.from_bytes(compact[32:]) > CURVE_ORDER // 2:
        raise InvalidValue("a signature has the lower of its two s")
    return recovered(signed_digest(text.encode()), compact, recovery)


def _seconds(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError) as error:
        raise InvalidValue(f"a time is of RFC 3339, was {text}") from error


def _written(at_s: int) -> str:
    return f"{instant(at_s):%Y-%m-%dT%H:%M:%SZ}"
