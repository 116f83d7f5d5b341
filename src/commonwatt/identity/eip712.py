"""Sign so that a contract can check it: EIP-712 typed data, and the checkpoint, whose domain names no chain."""

from collections.abc import Sequence
from dataclasses import dataclass

from commonwatt.identity.keys import SIGNATURE, SigningKey, VerifyingKey, keccak256, recovered
from commonwatt.model import InvalidValue, KeyId

DOMAIN_NAME = "commonwatt"
DOMAIN_VERSION = "1"
"""No chain's id and no contract's address stand in a checkpoint's domain: it says what a log holds, and names the log,
so it is equally true wherever it is shown. What pays out on one chain alone has a `Domain` that names it."""
_HASH_BYTES, _ADDRESS_BYTES = 32, 20
_PARITY = 1 << 255
"""In a compact signature's second number, above s, which leaves this bit free."""
_MOST_UINT64 = 2**64 - 1
_CHECKPOINT = b"Checkpoint(string origin,uint64 epoch,uint64 size,bytes32 logRoot,bytes32 stateRoot)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """For whom something is signed: a contract on a chain, under the name that a wallet shows.

    Args:
        name: Of the contract, in words.
        version: Of what it takes.
        chain_id: The chain's number (EIP-155).
        contract: Its address there, 0x and 40 hex digits.

    Raises:
        InvalidValue: The address is none, or the chain's number is below zero or above 256 bits.
    """

    name: str
    version: str = "1"
    chain_id: int
    contract: str

    def __post_init__(self) -> None:
        address_word(self.contract)
        number_word(self.chain_id)

    def separator(self) -> bytes:
        """Return the domain's hash, 32 bytes."""
        kind = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        texts = [keccak256(self.name.encode()), keccak256(self.version.encode())]
        return struct_hash(kind, [*texts, number_word(self.chain_id), address_word(self.contract)])


def typed_digest(separator: bytes, kind: bytes, words: Sequence[bytes]) -> bytes:
    """Return the 32 bytes that are signed for typed data.

    Args:
        separator: Of its domain, 32 bytes.
        kind: The type as EIP-712 encodes it: ``Voucher(bytes32 channel,uint256 total)``.
        words: Its members in order, 32 bytes each; texts and bytes of any size by their hash.

    Source: EIP-712, https://eips.ethereum.org/EIPS/eip-712.
    """
    return keccak256(b"\x19\x01" + separator + struct_hash(kind, words))


def struct_hash(kind: bytes, words: Sequence[bytes]) -> bytes:
    """Return the hash of typed data without its domain; arguments as in `typed_digest`."""
    return keccak256(b"".join([keccak256(kind), *words]))


def number_word(number: int) -> bytes:
    """Return a whole number as typed data has it.

    Raises:
        InvalidValue: It is below zero or above 256 bits.
    """
    try:
        return number.to_bytes(_HASH_BYTES)
    except OverflowError as error:
        raise InvalidValue(f"a number has 256 bits at most and no sign, was {number}") from error


def address_word(address: str) -> bytes:
    """Return an address as typed data has it.

    Raises:
        InvalidValue: It is not 0x and 40 hex digits.
    """
    try:
        found = bytes.fromhex(address.removeprefix("0x"))
    except ValueError:
        found = b""
    if len(found) != _ADDRESS_BYTES or len(address) != 2 + 2 * _ADDRESS_BYTES or address[:2] != "0x":
        raise InvalidValue(f"an address is 0x and 40 hex digits, was {address!r}")
    return bytes(_HASH_BYTES - _ADDRESS_BYTES) + found


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
    words = [keccak256(origin.encode()), number_word(epoch), number_word(size), log_root, state_root]
    return typed_digest(_DOMAIN, _CHECKPOINT, words)


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
    plain = bytes.fromhex(signature)
    for odd in (0, 1):
        if recovered(digest, plain, odd) == who:
            return int(signature[:64], 16), int(signature[64:], 16) | odd * _PARITY
    raise InvalidValue(f"a signature is by who is named, was not by {who}")


def compact_signer(digest: bytes, r: int, vs: int) -> KeyId | None:
    """Return who made a signature that `compact_signature` returned; None for anything that it would not return.

    Args:
        digest: The 32 bytes that were signed.
        r: 256 bits.
        vs: s with the parity in its highest bit, 256 bits.
    """
    return recovered(digest, number_word(r) + number_word(vs % _PARITY), vs // _PARITY)


_DOMAIN = struct_hash(
    b"EIP712Domain(string name,string version)",
    [keccak256(DOMAIN_NAME.encode()), keccak256(DOMAIN_VERSION.encode())],
)
