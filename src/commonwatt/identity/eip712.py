"""Sign a checkpoint so that a contract can check it: EIP-712 typed data, one type, one domain."""

from coincurve import PublicKey

from commonwatt.identity.keys import CURVE_ORDER, SIGNATURE, SigningKey, VerifyingKey, address, keccak256
from commonwatt.model import InvalidValue, KeyId

DOMAIN_NAME = "commonwatt"
DOMAIN_VERSION = "1"
"""No chain's id and no contract's address stand in the domain while there is neither. A signature says what a log
holds, and names the log, so it is equally true wherever it is shown; a contract that pays or punishes by it will have
a domain of its own, with its chain and address and the next version."""
_HASH_BYTES = 32
_MOST_UINT64 = 2**64 - 1
_CHECKPOINT = b"Checkpoint(string origin,uint64 epoch,uint64 size,bytes32 logRoot,bytes32 stateRoot)"


def checkpoint_digest(origin: str, epoch: int, size: int, log_root: bytes, state_root: bytes) -> bytes:
    """Return the 32 bytes that a witness's secp256k1 key signs for a checkpoint.

    Args:
        origin: The log's name.
        epoch: Number of the slot that the checkpoint closes, quarter-hours since 1970.
        size: Leaves in the log.
        log_root: 32 bytes.
        state_root: 32 bytes.

    Raises:
        InvalidValue: A number is below zero or above 64 bits, or a root is not 32 bytes.

    Source: EIP-712, https://eips.ethereum.org/EIPS/eip-712.
    """
    if not (0 <= epoch <= _MOST_UINT64 and 0 <= size <= _MOST_UINT64):
        raise InvalidValue(f"epoch and size are whole numbers of 64 bits, was {epoch} and {size}")
    if {len(log_root), len(state_root)} != {_HASH_BYTES}:
        raise InvalidValue(f"a root has {_HASH_BYTES} bytes, was {len(log_root)} and {len(state_root)}")
    words = [keccak256(_CHECKPOINT), keccak256(origin.encode()), _word(epoch), _word(size), log_root, state_root]
    return keccak256(b"\x19\x01" + _DOMAIN + keccak256(b"".join(words)))


def sign_checkpoint(key: SigningKey, *, origin: str, epoch: int, size: int, log_root: bytes, state_root: bytes) -> str:
    """Return a witness's signature of a checkpoint: r and s, low-s, as 128 lower-case hex digits.

    Arguments and errors as in `checkpoint_digest`.
    """
    return key.sign_digest(checkpoint_digest(origin, epoch, size, log_root, state_root))


def verify_checkpoint(
    key: VerifyingKey, signature: str, *, origin: str, epoch: int, size: int, log_root: bytes, state_root: bytes
) -> bool:
    """Tell whether the key signed this checkpoint; False for anything that `sign_checkpoint` would not write."""
    return key.verify_digest(checkpoint_digest(origin, epoch, size, log_root, state_root), signature)


def compact_signature(digest: bytes, signature: str, who: KeyId) -> tuple[int, int]:
    """Return a signature as contracts take it: r, and s with the point's parity in its highest bit.

    A signature of ours names no parity, since its author is known; a contract has to find the author.

    Args:
        digest: The 32 bytes that were signed.
        signature: r and s, low-s, as 128 lower-case hex digits.
        who: Who signed, as an address.

    Raises:
        InvalidValue: It is no signature of theirs.

    Source: EIP-2098, https://eips.ethereum.org/EIPS/eip-2098.
    """
    if not SIGNATURE.fullmatch(signature):
        raise InvalidValue("a signature is r and s as 128 hex digits")
    compact = bytes.fromhex(signature)
    r, s = int.from_bytes(compact[:32]), int.from_bytes(compact[32:])
    for odd in (0, 1):
        try:
            found = PublicKey.from_signature_and_message(compact + bytes([odd]), digest, hasher=None)
        except ValueError:
            continue
        if s <= CURVE_ORDER // 2 and address(found.format(compressed=False)) == who:
            return r, s | odd << 255
    raise InvalidValue(f"a signature is by who is named, was not by {who}")


def _word(number: int) -> bytes:
    return number.to_bytes(_HASH_BYTES)


_DOMAIN = keccak256(
    keccak256(b"EIP712Domain(string name,string version)")
    + keccak256(DOMAIN_NAME.encode())
    + keccak256(DOMAIN_VERSION.encode())
)
