"""Say what an archived day holds, in a few bytes whose hash goes into the log."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from hashlib import sha256
from typing import Self

import msgspec

from commonwatt.model import MAX_SAFE_INTEGER, CommunityId, Corrupt, InvalidValue, canonical_json

_FORMAT = 1
_HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFacts:
    """What the log says of one day; two archives of a day agree when these do, as all else follows from the log.

    Args:
        community: Whose log it is.
        day: The day.
        first_position: Position of its first leaf.
        last_position: Position of its last leaf.
        log_root: Root of the log's tree at the day's end, 32 bytes as 64 lower-case hex digits.
        state_root: Root over the books at the day's end, likewise.

    Raises:
        InvalidValue: The community has no name, the positions are no range, or a root is no hash.
    """

    community: CommunityId
    day: date
    first_position: int
    last_position: int
    log_root: str
    state_root: str

    def __post_init__(self) -> None:
        if not self.community:
            raise InvalidValue("an archived day belongs to a community, was none")
        if not 0 <= self.first_position <= self.last_position <= MAX_SAFE_INTEGER:
            raise InvalidValue(
                f"a day's leaves are a range of positions, was {self.first_position} to {self.last_position}"
            )
        for root in (self.log_root, self.state_root):
            _check_hash(root)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableBlob:
    """Where one table of a day lies.

    Args:
        blob: SHA-256 of its encrypted bytes, 64 lower-case hex digits.
        rows: Rows in it.
        size_bytes: Length of the encrypted bytes.

    Raises:
        InvalidValue: The hash is none, or a count is below zero.
    """

    blob: str
    rows: int
    size_bytes: int

    def __post_init__(self) -> None:
        _check_hash(self.blob)
        if min(self.rows, self.size_bytes) < 0:
            raise InvalidValue(f"a table has zero or more rows and bytes, was {self.rows} and {self.size_bytes}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """An archived day: its facts and where its tables lie. It holds no personal data and rests unencrypted.

    Args:
        facts: What the log says of the day.
        tables: Where each table lies, by name.
        format: Of tables and blobs.

    Raises:
        InvalidValue: The format is unknown.
    """

    facts: DayFacts
    tables: Mapping[str, TableBlob]
    format: int = _FORMAT

    def __post_init__(self) -> None:
        if self.format != _FORMAT:
            raise InvalidValue(f"the archive's format is {_FORMAT}, was {self.format}")

    def to_json(self) -> bytes:
        """Return its one canonical form (RFC 8785).

        Raises:
            InvalidValue: A number is beyond +-(2^53-1) or the community's name is not Unicode.
        """
        facts = asdict(self.facts) | {"day": self.facts.day.isoformat()}
        tables = {name: asdict(table) for name, table in self.tables.items()}
        return canonical_json({"facts": facts, "format": self.format, "tables": tables})

    def digest(self) -> str:
        """Return the SHA-256 of its canonical form, 64 hex digits: what the log keeps of an archived day."""
        return sha256(self.to_json()).hexdigest()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read what `to_json` wrote, and nothing else.

        Raises:
            Corrupt: The bytes are no manifest, or not in canonical form.
        """
        try:
            manifest = msgspec.json.decode(data, type=cls)
            canonical = manifest.to_json()
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Corrupt(f"the bytes are no manifest of an archived day: {error}") from error
        if canonical != data:
            raise Corrupt("the manifest of an archived day is not in canonical form")
        return manifest


def _check_hash(text: str) -> None:
    if not _HASH.fullmatch(text):
        raise InvalidValue(f"a hash is 64 lower-case hex digits, was {text!r}")
