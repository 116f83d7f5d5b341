"""Signatures as contracts take them: 64 bytes that tell who signed, one form for each (EIP-2098, low s)."""

from commonwatt.identity.keys import SIGNATURE, recovered
from commonwatt.model import InvalidValue, KeyId

_PARITY = 1 << 255
"""In the second half of the 64 bytes, above s, which leaves this bit free."""


def compact(signature: str, digest: bytes, signer: KeyId) -> str:
    """Return a signature over a digest in the form that tells its signer: r, then s with the parity in its top bit.

    A signer in a secure element gives r and s alone; which of two keys they belong to is found here.

    Args:
        signature: As `commonwatt.identity.keys.SigningKey.sign_digest` writes it.
        digest: What was signed, 32 bytes.
        signer: Whose it is.

    Returns:
        128 lower-case hex digits.

    Raises:
        InvalidValue: It is not this signer's signature of this digest.

    Source: EIP-2098, https://eips.ethereum.org/EIPS/eip-2098.
    """
    if SIGNATURE.fullmatch(signature):
        for parity in (0, _PARITY):
            told = f"{signature[:64]}{int(signature[64:], 16) | parity:064x}"
            if signer_of(told, digest) == signer:
                return told
    raise InvalidValue(f"a signature is its signer's over this digest, was not {signer}'s")


def signer_of(signature: str, digest: bytes) -> KeyId | None:
    """Return who made a signature in the form of `compact`; None for anything that it would not write.

    Args:
        signature: 128 lower-case hex digits.
        digest: What was signed, 32 bytes.
    """
    if not SIGNATURE.fullmatch(signature):
        return None
    told = int(signature[64:], 16)
    return recovered(digest, bytes.fromhex(f"{signature[:64]}{told % _PARITY:064x}"), told // _PARITY)
