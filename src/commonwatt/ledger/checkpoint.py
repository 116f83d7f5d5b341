"""State what a log held at one moment, in a note that its signers answer for."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from commonwatt.ledger.merkle import HASH_BYTES
from commonwatt.model import SLOT_SECONDS, Corrupt, InvalidValue

_DECIMAL = re.compile("0|[1-9][0-9]{0,18}")
_ED25519 = b"\x01"
_PUBLIC_BYTES = 32
KEY_ID_BYTES = 4
MOST_SIGNATURES = 100
"""The specification asks for at least 16 and for some limit; this is the limit of Go's implementation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a log held: so many leaves with this root, which lead to books with that root.

    Args:
        origin: The log's name, for example ``commonwatt.example/street``; also a lawful key name.
        size: Leaves in the log, zero or more.
        log_root: 32 bytes, root of the log's Merkle tree at that size.
        state_root: 32 bytes, root over the books after that many leaves.
        slot_s: Start of the slot that it closes, seconds since 1970.

    Raises:
        InvalidValue: A root is not 32 bytes, a number is out of range, or the origin is no lawful key name.
    """

    origin: str
    size: int
    log_root: bytes
    state_root: bytes
    slot_s: int

    def __post_init__(self) -> None:
        _check_name(self.origin)
        if not 0 <= self.size < 2**63:
            raise InvalidValue(f"the size of a log is zero or more and below 2^63, was {self.size}")
        if not (0 <= self.slot_s < 2**63 and self.slot_s % SLOT_SECONDS == 0):
            raise InvalidValue(f"a slot starts on a quarter of an hour, was {self.slot_s} s")
        for root in (self.log_root, self.state_root):
            if len(root) != HASH_BYTES:
                raise InvalidValue(f"a root has {HASH_BYTES} bytes, was {len(root)}")

    def note_text(self) -> str:
        """Return the text to sign: origin, size and root, then the extension lines ``state`` and ``slot``.

        Source: C2SP tlog-checkpoint, https://c2sp.org/tlog-checkpoint.
        """
        lines = [self.origin, str(self.size), to_base64(self.log_root)]
        return "\n".join([*lines, f"state {to_base64(self.state_root)}", f"slot {self.slot_s}", ""])

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Return the checkpoint of a note's text; there is one text for each checkpoint.

        Raises:
            Corrupt: A line is missing, too many or malformed, or the values could not be true of any log.
        """
        lines = text.split("\n")
        if len(lines) != 6 or lines[5]:
            raise Corrupt(f"a checkpoint has 5 lines and ends with the last, was {text!r}")
        try:
            return cls(
                origin=lines[0],
                size=_decimal(lines[1], 2),
                log_root=from_base64(lines[2], 3),
                state_root=from_base64(_after("state ", lines[3], 4), 4),
                slot_s=_decimal(_after("slot ", lines[4], 5), 5),
            )
        except InvalidValue as error:
            raise Corrupt(f"no log has such a checkpoint: {error}") from error


def sign_note(text: str, name: str, key: Ed25519PrivateKey) -> str:
    """Return a note of one signature; `signature_line` makes the line that a further signer adds at its end.

    Args:
        text: What is signed: lines that each end in a newline, without other control characters.
        name: The key's name: not empty, no space, no plus sign.
        key: The Ed25519 key that signs.

    Raises:
        InvalidValue: The text or the name is not lawful in a note.

    Source: C2SP signed-note, https://c2sp.org/signed-note.
    """
    return f"{text}\n{signature_line(text, name, key)}"


def signature_line(text: str, name: str, key: Ed25519PrivateKey) -> str:
    """Return the line by which a key signs a note's text; arguments and errors as in `sign_note`."""
    _check_name(name)
    if not text.endswith("\n") or not _is_lawful(text):
        raise InvalidValue(f"a note's text is Unicode in lines that end in a newline, was {text!r}")
    signature = key.sign(text.encode())
    return f"— {name} {to_base64(_key_id(name, key.public_key().public_bytes_raw()) + signature)}\n"


def verify_note(note: str, vkeys: Mapping[str, bytes]) -> str:
    """Return a note's text once a known key is found to have signed it.

    Signatures by unknown keys are passed over; one by a known key that does not fit condemns the whole note.
    Who needs several signers asks once for each.

    Args:
        note: Text, blank line, signature lines.
        vkeys: Known 32-byte Ed25519 public keys by key name.

    Raises:
        Corrupt: The note is malformed, no known key signed it, or a known key's signature does not cover it.
        InvalidValue: A known key is not an Ed25519 public key, or its name is not lawful.

    Source: C2SP signed-note, https://c2sp.org/signed-note.
    """
    known = {(name, _key_id(name, key)): _public_key(name, key) for name, key in vkeys.items()}
    text, lines = split_note(note)
    signed = False
    for number, line in enumerate(lines, start=text.count("\n") + 2):
        name, key_id, signature = parse_signature(line, number)
        public_key = known.get((name, key_id))
        if public_key is None:
            continue
        try:
            public_key.verify(signature, text.encode())
        except InvalidSignature as error:
            raise Corrupt(f"the signature of {name} does not cover this text") from error
        signed = True
    if not signed:
        raise Corrupt(f"no known signer signed this, known are {', '.join(vkeys) or 'none'}")
    return text


def read_note(note: str) -> Checkpoint:
    """Return the checkpoint that a note tells, whoever signed it.

    Raises:
        Corrupt: There is none in it.
    """
    return Checkpoint.parse(note.partition("\n\n")[0] + "\n")


def split_note(note: str) -> tuple[str, list[str]]:
    """Take a note apart into its text, with the newline that ends it, and its signature lines, without theirs.

    Raises:
        Corrupt: It holds control characters, no blank line, or too many signature lines.

    Source: C2SP signed-note, https://c2sp.org/signed-note.
    """
    if not _is_lawful(note):
        raise Corrupt("a note is Unicode without control characters, this is not")
    text, blank_line, signatures = note.rpartition("\n\n")
    if not blank_line or not signatures.endswith("\n"):
        raise Corrupt("a note is text, a blank line and signature lines that end in a newline, this is not")
    lines = signatures[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise Corrupt(f"a note has at most {MOST_SIGNATURES} signatures, was {len(lines)}")
    return text + "\n", lines


def parse_signature(line: str, number: int) -> tuple[str, bytes, bytes]:
    """Return name, key id and signature of a signature line; a cosignature's starts with its time.

    Args:
        line: The line, without the newline that ends it.
        number: Which line of its note it is, from 1, for the error.

    Raises:
        Corrupt: It is no such line.
    """
    fields = line.split(" ")
    if len(fields) != 3 or fields[0] != "—" or not _is_name(fields[1]):
        raise Corrupt(f"malformed line {number}, a signature is a dash, a name and base64, was {line!r}")
    content = from_base64(fields[2], number)
    if len(content) <= KEY_ID_BYTES:
        raise Corrupt(f"malformed line {number}, a signature is longer than its key id, was {line!r}")
    return fields[1], content[:KEY_ID_BYTES], content[KEY_ID_BYTES:]


def vkey(name: str, public_key: bytes) -> str:
    """Return a public key as one word that people can pass on: name, key id and key, joined by plus signs.

    Raises:
        InvalidValue: The name is not lawful, or the key is not 32 bytes.
    """
    return f"{name}+{_key_id(name, public_key).hex()}+{to_base64(_ED25519 + public_key)}"


def parse_vkey(word: str) -> tuple[str, bytes]:
    """Return the name and the 32-byte public key that `vkey` wrote.

    Raises:
        Corrupt: It is not of that form, not for Ed25519, or the key id belongs to another name or key.
    """
    name, _, rest = word.partition("+")
    key_id, _, encoded = rest.partition("+")
    public_key = from_base64(encoded, 1).removeprefix(_ED25519)
    try:
        right = vkey(name, public_key)
    except InvalidValue as error:
        raise Corrupt(f"a vkey is name+id+key, was {word!r}: {error}") from error
    if word != right:
        raise Corrupt(f"the key id of {name} is not {key_id!r}, or its key is not of Ed25519")
    return name, public_key


def _key_id(name: str, public_key: bytes) -> bytes:
    _check_name(name)
    if len(public_key) != _PUBLIC_BYTES:
        raise InvalidValue(f"the Ed25519 key of {name} has {_PUBLIC_BYTES} bytes, was {len(public_key)}")
    return sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:KEY_ID_BYTES]


def _public_key(name: str, public_key: bytes) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(public_key)
    except ValueError as error:
        raise InvalidValue(f"the key of {name} is no Ed25519 public key: {error}") from error


def _check_name(name: str) -> None:
    if not _is_name(name):
        raise InvalidValue(f"a key name is not empty and has no space or plus sign, was {name!r}")


def _is_name(name: str) -> bool:
    return name != "" and "+" not in name and not any(map(str.isspace, name)) and _is_lawful(name)


def _is_lawful(text: str) -> bool:
    try:
        return all(byte >= 0x20 or byte == 0x0A for byte in text.encode())
    except UnicodeEncodeError:
        return False


def _after(word: str, line: str, number: int) -> str:
    if not line.startswith(word):
        raise Corrupt(f"malformed line {number}, it starts with {word!r}, was {line!r}")
    return line.removeprefix(word)


def _decimal(digits: str, number: int) -> int:
    if not _DECIMAL.fullmatch(digits):
        raise Corrupt(f"malformed line {number}, a whole number without leading zeros, was {digits!r}")
    return int(digits)


def from_base64(encoded: str, number: int) -> bytes:
    """Return what a word of base64 stands for; there is one word for each content.

    Args:
        encoded: The word.
        number: Which line it stands in, from 1, for the error.

    Raises:
        Corrupt: It is not base64, or has loose bits at its end.
    """
    try:
        content = base64.b64decode(encoded.encode(), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Corrupt(f"malformed line {number}, base64, was {encoded!r}") from error
    # The last digit can carry bits that decoding drops: two texts, one meaning, were it not compared.
    if to_base64(content) != encoded:
        raise Corrupt(f"malformed line {number}, base64 with loose bits, was {encoded!r}")
    return content


def to_base64(content: bytes) -> str:
    """Return content as a word of base64."""
    return base64.b64encode(content).decode()
