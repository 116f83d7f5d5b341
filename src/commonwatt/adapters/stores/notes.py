"""Keep a log's notes and the cosignatures that come for them, in an SQLite file beside the log's own."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from commonwatt.adapters.stores.ledger_file import open_file
from commonwatt.flows.publish import Cosignature

_SCHEMA = (
    "CREATE TABLE note (size INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT",
    "CREATE TABLE cosignature (size INTEGER NOT NULL REFERENCES note, witness TEXT NOT NULL, weight INTEGER NOT NULL,"
    " time_s INTEGER NOT NULL, line TEXT NOT NULL, typed TEXT NOT NULL, PRIMARY KEY (size, witness)) STRICT",
    "CREATE INDEX cosignature_by_witness ON cosignature (witness, size)",
    "CREATE TABLE progress (noted_to INTEGER NOT NULL) STRICT",
    "INSERT INTO progress VALUES (0)",
)
_COSIGNATURE = "SELECT size, witness, time_s, line, typed FROM cosignature "


class NoteFile:
    """Implements `commonwatt.flows.publish.NoteBook`; each call is one durable transaction.

    It is not the log's file, so that the log's one writer never waits for a witness.

    Args:
        path: The file; made with mode 0600 where it is missing.

    Raises:
        Refused: The file is of another format.
        Corrupt: The file is no SQLite database or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._db = open_file(path, _SCHEMA)

    def noted_to(self) -> int:
        """Return how many leaves were looked through for notes."""
        (found,) = self._db.execute("SELECT noted_to FROM progress").fetchone()
        return int(found)

    def add(self, notes: Mapping[int, str], noted_to: int) -> None:
        """Keep notes by size, and how far the log was looked through; a note that is there stays as it is."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR IGNORE INTO note VALUES (?, ?)", notes.items())
            self._db.execute("UPDATE progress SET noted_to = max(noted_to, ?)", (noted_to,))

    def note(self, size: int | None = None) -> str | None:
        """Return the note of a size, of the largest where none is given; None where there is none."""
        which = "WHERE size = ?" if size is not None else "ORDER BY size DESC LIMIT 1"
        found = self._db.execute(f"SELECT text FROM note {which}", () if size is None else (size,)).fetchone()  # noqa: S608  fixed words
        return str(found[0]) if found else None

    def cosign(self, cosignature: Cosignature, weight: int) -> None:
        """Keep a cosignature, unless the witness has one there already."""
        with self._db:
            self._db.execute(
                "INSERT OR IGNORE INTO cosignature VALUES (?, ?, ?, ?, ?, ?)",
                (
                    cosignature.size,
                    cosignature.witness,
                    weight,
                    cosignature.time_s,
                    cosignature.line,
                    cosignature.typed,
                ),
            )

    def cosignatures(self, size: int) -> list[Cosignature]:
        """Return a note's cosignatures, in the order in which they came."""
        found = self._db.execute(_COSIGNATURE + "WHERE size = ? ORDER BY rowid", (size,)).fetchall()
        return [_cosignature(row) for row in found]

    def last_of(self, witness: str) -> Cosignature | None:
        """Return a witness's cosignature of the largest size, or None."""
        found = self._db.execute(_COSIGNATURE + "WHERE witness = ? ORDER BY size DESC LIMIT 1", (witness,)).fetchone()
        return _cosignature(found) if found else None

    def final_size(self, total: int) -> int | None:
        """Return the largest size that two thirds of a total weight cosigned, or None."""
        (found,) = self._db.execute(
            "SELECT max(size) FROM (SELECT size FROM cosignature GROUP BY size HAVING sum(weight) * 3 >= ? * 2)",
            (total,),
        ).fetchone()
        return None if found is None else int(found)

    def close(self) -> None:
        """Close the file; closing twice is no error."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _cosignature(row: tuple[int, str, int, str, str]) -> Cosignature:
    size, witness, time_s, line, typed = row
    return Cosignature(size=size, witness=witness, time_s=time_s, line=line, typed=typed)
