"""The tables of an archived day: their columns, and their form as Parquet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from commonwatt.adapters.stores.archive.sealing import path_of, private_file, read_whole
from commonwatt.model import MAX_SAFE_INTEGER, InvalidValue, Refused

Values = Sequence[object] | NDArray[Any]
"""A column: an array or a sequence. None, or a masked place, stands for what is not known."""
Columns = Mapping[str, Values]


class Kind(StrEnum):
    """What a column holds, by DuckDB's name."""

    WHOLE = "BIGINT"
    TEXT = "VARCHAR"
    BYTES = "BLOB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table.

    Args:
        name: Its name, units at the end.
        kind: What it holds.
        least: The least whole number that may stand there.
        optional: Whether a value may be missing.
    """

    name: str
    kind: Kind
    least: int = 0
    optional: bool = False


def _whole(name: str, least: int = 0, *, optional: bool = False) -> Column:
    return Column(name=name, kind=Kind.WHOLE, least=least, optional=optional)


def _text(name: str) -> Column:
    return Column(name=name, kind=Kind.TEXT)


def _bytes(name: str) -> Column:
    return Column(name=name, kind=Kind.BYTES)


TABLES: Mapping[str, tuple[Column, ...]] = {
    "leaf": (
        _whole("position"),
        _whole("stamped_s"),
        _text("author"),
        _whole("seq"),
        _text("owner"),
        _text("outcome"),
        _whole("closes"),
        _bytes("salt"),
        _bytes("body"),
        _bytes("items"),
    ),
    "entry": (
        _whole("position"),
        _text("commodity"),
        _text("source"),
        _text("target"),
        _whole("amount", 1),
        _text("memo"),
        _whole("slot_s"),
        _text("ref"),
    ),
    "reading": (
        _whole("position"),
        _text("asset"),
        _whole("start_s"),
        _whole("seconds", 1),
        _whole("import_wh"),
        _whole("export_wh"),
        _whole("level_wh", optional=True),
        _text("quality"),
    ),
}
"""Every table of a day, its columns in order; each row also carries its ``day``, a DATE."""
READINGS = tuple(column for column in TABLES["reading"] if column.name not in ("position", "asset", "seconds"))
"""What one asset's readings are told by."""


def checked_columns(table: str, columns: Columns) -> dict[str, NDArray[Any]]:
    """Return a table's columns as arrays that DuckDB takes without guessing.

    Returns:
        Each column by name: int64, masked where optional values are missing, or objects (str, bytes).

    Raises:
        InvalidValue: There is no such table; a column is missing, unknown or of another length; or a value is of
            another kind, below the least that may stand there, or beyond 2^53-1.
    """
    if table not in TABLES:
        raise InvalidValue(f"an archived day has the tables {', '.join(TABLES)}, was {table!r}")
    names = [column.name for column in TABLES[table]]
    if set(columns) != set(names):
        raise InvalidValue(f"table {table} has the columns {', '.join(names)}, was {', '.join(map(str, columns))}")
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1:
        raise InvalidValue(f"the columns of table {table} are of one length, were of {sorted(lengths)}")
    return {column.name: _checked(table, column, columns[column.name]) for column in TABLES[table]}


def rows_of(arrays: Mapping[str, NDArray[Any]]) -> int:
    """Return how many rows checked columns have."""
    return len(next(iter(arrays.values())))


def to_parquet(table: str, day: date, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return a table as Parquet, compressed with zstd, never on a disk in between.

    Args:
        table: Its name.
        day: The day that each row is to carry.
        arrays: What `checked_columns` returned, as a dict.

    Raises:
        Refused: This DuckDB reads another type from a column than we gave.
    """
    first = f"DATE '{day.isoformat()}' AS day, "
    return _written(table, TABLES[table], arrays, first, ("DATE",))


def readings_parquet(columns: Columns) -> bytes:
    """Return one asset's readings as Parquet: columns and kinds of the archive's, without whose and where they stand.

    Args:
        columns: By name, as in `READINGS`.

    Raises:
        InvalidValue: As `checked_columns`.
        Refused: As `to_parquet`.
    """
    arrays = {column.name: _checked("reading", column, columns[column.name]) for column in READINGS}
    return _written("reading", READINGS, arrays)


def _written(
    table: str,
    columns: Sequence[Column],
    arrays: Mapping[str, NDArray[Any]],
    first: str = "",
    kinds: Sequence[str] = (),
) -> bytes:
    """Return columns as Parquet.

    Args:
        table: What they are, for people.
        columns: In order.
        arrays: By name, as a dict; the query finds it by this name.
        first: What each row is to carry before them, in SQL.
        kinds: Of that.
    """
    # DuckDB cannot tell the type of an empty column of objects.
    source = "arrays" if rows_of(arrays) else f"(SELECT {_nothing(columns)}) WHERE false"
    names = ", ".join(column.name for column in columns)
    query = f"SELECT {first}{names} FROM {source}"  # noqa: S608 - names are our own
    with private_file() as file, duckdb.connect(":memory:") as db:
        # What outgrows the memory would otherwise be written, plain, into a temporary folder.
        db.execute("SET temp_directory = ''")
        found = [row[1] for row in db.execute(f"DESCRIBE {query}").fetchall()]
        # DuckDB 1.3 takes objects that are bytes for text, and would keep another text than their own.
        if found != [*kinds, *(column.kind for column in columns)]:
            raise Refused("DuckDB takes columns for what they are", table=table, found=found)
        # A temporary file beside a descriptor's path cannot be made, and a half-written one is only memory.
        db.execute(f"COPY ({query}) TO '{path_of(file)}' (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)")
        return read_whole(file)


def _nothing(columns: Sequence[Column]) -> str:
    return ", ".join(f"NULL::{column.kind} AS {column.name}" for column in columns)


def _checked(table: str, column: Column, values: Values) -> NDArray[Any]:
    where = f"column {column.name} of table {table}"
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise InvalidValue(f"{where} has one dimension, was {values.ndim}")
    match column.kind:
        case Kind.WHOLE:
            return _whole_numbers(where, column, values)
        case Kind.TEXT:
            return _objects(where, values, str)
        case Kind.BYTES:
            return _objects(where, values, bytes)


def _whole_numbers(where: str, column: Column, values: Values) -> NDArray[Any]:
    if not isinstance(values, np.ndarray):
        values = _from_list(where, values)
    if values.dtype.kind not in "iu":
        raise InvalidValue(f"{where} holds whole numbers, was {values.dtype}")
    known = np.ma.compressed(values)
    if len(known) < len(values) and not column.optional:
        raise InvalidValue(f"{where} knows every value, {len(values) - len(known)} were missing")
    # Before the conversion: an unsigned number beyond 2^63 would come out negative.
    if len(known) and not (int(known.min()) >= column.least and int(known.max()) <= MAX_SAFE_INTEGER):
        raise InvalidValue(f"{where} is from {column.least} to 2^53-1, was from {known.min()} to {known.max()}")
    return values.astype(np.int64)


def _from_list(where: str, values: Sequence[object]) -> NDArray[Any]:
    for value in values:
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise InvalidValue(f"{where} holds whole numbers, was {value!r}")
        if abs(int(value)) > MAX_SAFE_INTEGER:
            raise InvalidValue(f"{where} is within +-(2^53-1), was {value}")
    known = np.array([0 if value is None else value for value in values], dtype=np.int64)
    missing = np.array([value is None for value in values], dtype=bool)
    return np.ma.masked_array(known, mask=missing) if missing.any() else known


def _objects(where: str, values: Values, kind: type[str] | type[bytes]) -> NDArray[Any]:
    if isinstance(values, np.ndarray) and values.dtype.kind == "S":
        raise InvalidValue(f"{where} holds objects: numpy's own bytes lose zeros at their end")
    items: list[Any] = values.tolist() if isinstance(values, np.ndarray) else list(values)
    for item in items:
        if type(item) is not kind:
            raise InvalidValue(f"{where} holds {kind.__name__}, was {item!r}")
    if kind is str:
        try:
            "".join(items).encode()
        except UnicodeEncodeError as error:
            raise InvalidValue(f"{where} is Unicode, was {error.object[error.start :][:20]!r}") from error
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array
