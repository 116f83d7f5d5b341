"""Archive a final day, once and whole, and sweep up what killed writers left."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from commonwatt.adapters.stores.archive.blobs import Blobs, Stored, blob_name, is_blob
from commonwatt.adapters.stores.archive.manifest import DayFacts, Manifest, TableBlob
from commonwatt.adapters.stores.archive.sealing import seal
from commonwatt.adapters.stores.archive.tables import TABLES, Columns, checked_columns, rows_of, to_parquet
from commonwatt.adapters.stores.vault import Wrapping
from commonwatt.model import CommunityId, Corrupt, InvalidValue, Refused

BLOBS = "blob"
"""The folder of encrypted tables."""
MANIFESTS = "manifest"
"""The folder of manifests, one folder a day below it."""

_SALT_BYTES = 32


def archive_day(blobs: Blobs, wrapping: Wrapping, facts: DayFacts, tables: Mapping[str, Columns]) -> Manifest:
    """Put a final day into the archive, and return its manifest once all of it is durable.

    The manifest is written last, so a kill at any point leaves a day that is archived, or blobs that no manifest names;
    calling again with the same facts finds the one and finishes the other. Two writers at once may leave two manifests
    that agree, each whole; both are told the one with the lesser hash, unless one was done before the other wrote its
    own: then the log decides.

    Args:
        blobs: Where it is to rest.
        wrapping: Holder of the master key.
        facts: What the log says of the day.
        tables: All tables of `TABLES`, each as columns; leaves in the log's order, without gap.

    Raises:
        InvalidValue: A table is missing or unknown, a column or value cannot be, or the leaves are not those of the
            facts.
        Refused: The day is archived already, with other facts or other numbers of rows.
        Corrupt: The day is archived already, and a blob of it is missing.
        OSError: The store failed; call again.
    """
    arrays = _checked_tables(facts, tables)
    rows = {table: rows_of(columns) for table, columns in arrays.items()}
    if (standing := _standing(blobs, facts, rows)) is not None:
        return standing
    places = {table: _put_table(blobs, wrapping, facts, table, arrays[table]) for table in TABLES}
    manifest = Manifest(facts=facts, tables=places)
    data = manifest.to_json()
    blobs.put(blob_name(f"{MANIFESTS}/{facts.day.isoformat()}", data), data)
    # Asked again, since another writer may have been at the same day: all take the same of equals.
    return _standing(blobs, facts, rows) or manifest


def manifests(blobs: Blobs, community: CommunityId, day: date | None = None) -> Iterator[Manifest]:
    """Yield the manifests of a community that the store holds, of one day or of all, in no order.

    Raises:
        Corrupt: A manifest is damaged, or lies under another day; the message names it.
    """
    for name, manifest in _all_manifests(blobs, MANIFESTS if day is None else f"{MANIFESTS}/{day.isoformat()}"):
        if name.split("/")[1] != manifest.facts.day.isoformat():
            raise Corrupt(f"manifest {name} is that of another day, {manifest.facts.day}")
        if manifest.facts.community == community:
            yield manifest


def unnamed(blobs: Blobs, *, written_before_s: int) -> list[Stored]:
    """Return what no manifest names, of whatever community: half-archived days and forgotten temporary files.

    Args:
        blobs: The store.
        written_before_s: Seconds since 1970; younger blobs may belong to a day that is being archived just now, so
            this lies as far back as archiving a day can take, a day say.

    Raises:
        Corrupt: A manifest is damaged, so that nobody knows what it names.
    """
    # Before the manifests: what is listed now and named meanwhile must not look unnamed.
    found = [stored for stored in blobs.list("") if stored.written_s < written_before_s]
    named = {
        f"{BLOBS}/{place.blob}"
        for _, manifest in _all_manifests(blobs, MANIFESTS)
        for place in manifest.tables.values()
    }
    return [
        stored
        for stored in found
        if _in_archive(stored.name)
        and stored.name not in named
        and not (is_blob(stored.name) and stored.name.startswith(f"{MANIFESTS}/"))
    ]


def sweep(blobs: Blobs, *, written_before_s: int) -> list[str]:
    """Delete what `unnamed` returns, and return the names."""
    names = [stored.name for stored in unnamed(blobs, written_before_s=written_before_s)]
    for name in names:
        blobs.delete(name)
    return names


def _in_archive(name: str) -> bool:
    return name.startswith((f"{BLOBS}/", f"{MANIFESTS}/"))


def _all_manifests(blobs: Blobs, folder: str) -> Iterator[tuple[str, Manifest]]:
    for stored in blobs.list(folder):
        if not is_blob(stored.name):
            continue
        try:
            yield stored.name, Manifest.from_json(blobs.get(stored.name))
        except Corrupt as error:
            raise Corrupt(f"manifest {stored.name}: {error}") from error


def _standing(blobs: Blobs, facts: DayFacts, rows: Mapping[str, int]) -> Manifest | None:
    """Return the manifest of a day that is archived with these facts; of several the one with the least hash."""
    found = sorted(manifests(blobs, facts.community, facts.day), key=Manifest.digest)
    for manifest in found:
        if manifest.facts != facts:
            raise Refused("a day is archived once", day=facts.day, archived=manifest.facts, asked=facts)
        archived = {table: place.rows for table, place in manifest.tables.items()}
        if archived != rows:
            raise Refused("a day is archived once", day=facts.day, archived_rows=archived, asked_rows=dict(rows))
        for table, place in manifest.tables.items():
            if not blobs.exists(f"{BLOBS}/{place.blob}"):
                raise Corrupt(f"blob {place.blob} is missing: table {table} of {facts.day} of {facts.community}")
    return found[0] if found else None


def _put_table(
    blobs: Blobs, wrapping: Wrapping, facts: DayFacts, table: str, arrays: Mapping[str, NDArray[Any]]
) -> TableBlob:
    sealed = seal(to_parquet(table, facts.day, arrays), wrapping, facts.community, facts.day, table)
    name = blob_name(BLOBS, sealed)
    blobs.put(name, sealed)
    return TableBlob(blob=name[-64:], rows=rows_of(arrays), size_bytes=len(sealed))


def _checked_tables(facts: DayFacts, tables: Mapping[str, Columns]) -> dict[str, dict[str, NDArray[Any]]]:
    if set(tables) != set(TABLES):
        raise InvalidValue(f"an archived day has the tables {', '.join(TABLES)}, was {', '.join(map(str, tables))}")
    arrays = {table: checked_columns(table, columns) for table, columns in tables.items()}
    positions = arrays["leaf"]["position"]
    if not np.array_equal(positions, np.arange(facts.first_position, facts.last_position + 1)):
        raise InvalidValue(
            f"the leaves of {facts.day} are {facts.first_position} to {facts.last_position} without gap,"
            f" were {len(positions)} others"
        )
    for position, salt in zip(positions, arrays["leaf"]["salt"], strict=True):
        if len(salt) != _SALT_BYTES:
            raise InvalidValue(f"the salt of leaf {position} has {_SALT_BYTES} bytes, was {len(salt)}")
    return arrays
