"""Ask archived days in SQL, which sees them and nothing else."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from threading import Timer
from typing import Any

import duckdb
from numpy.typing import NDArray

from commonwatt.adapters.stores.archive.blobs import Blobs
from commonwatt.adapters.stores.archive.manifest import Manifest
from commonwatt.adapters.stores.archive.sealing import fill, path_of, private_file, unseal
from commonwatt.adapters.stores.archive.tables import TABLES
from commonwatt.adapters.stores.archive.write import BLOBS, MANIFESTS, manifests
from commonwatt.adapters.stores.vault import Wrapping
from commonwatt.model import CommunityId, Corrupt, InvalidValue, Refused

_MEGABYTE = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one query may take.

    Args:
        memory_mb: For DuckDB's working memory, and again for the chosen days' bytes; nothing is spilled to a disk.
        rows: In the answer, which has no other bound.
        seconds: Until it is broken off.

    Raises:
        InvalidValue: A limit is not above zero.
    """

    memory_mb: int = 512
    rows: int = 1_000_000
    seconds: float = 60

    def __post_init__(self) -> None:
        # The other way round a NaN would pass.
        if not (self.memory_mb > 0 and self.rows > 0 and self.seconds > 0):
            raise InvalidValue(f"the limits of a query are above zero, was {self}")


_USUAL = Limits()


class Archive:
    """A community's archived days, to be read.

    Args:
        blobs: Where they rest.
        wrapping: Holder of the master key.
        community: Whose they are.
        logged: The hash of each day's manifest as the log has it. With it the store need not be trusted: no other
            manifest is looked at. Without it the store says which days there are, and all that is sure is that a
            holder of the master key wrote their tables.
    """

    def __init__(
        self, blobs: Blobs, wrapping: Wrapping, community: CommunityId, *, logged: Mapping[date, str] | None = None
    ) -> None:
        self._blobs, self._wrapping, self._community, self._logged = blobs, wrapping, community, logged

    def query(
        self, sql: str, parameters: Sequence[object] = (), *, days: Collection[date], limits: Limits = _USUAL
    ) -> list[tuple[Any, ...]]:
        """Return the rows of one SELECT over the views ``leaf``, ``entry`` and ``reading`` of the chosen days.

        Only blobs of these days, and of tables that the query names, are fetched; a condition on ``day`` skips the
        row groups of others unread. SQL reaches no file, network, setting or Python value, and writes nothing.

        Args:
            sql: One SELECT; columns as in `TABLES`, and ``day``.
            parameters: Values for ``?`` in it.
            days: The days to ask.
            limits: What it may take.

        Raises:
            InvalidValue: There is no day.
            Refused: A day is not archived; the query is no single SELECT, wants what it must not, or cannot be
                answered; or it outgrew a limit.
            Corrupt: A blob is damaged or missing.
            OSError: The store failed; ask again.
        """
        with self._asking(sql, parameters, days, limits) as answer:
            rows = answer.fetchall()
        _check_rows(len(rows), limits)
        return rows

    def query_named(
        self, sql: str, parameters: Sequence[object] = (), *, days: Collection[date], limits: Limits = _USUAL
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Return the names of the columns and the rows, whole numbers whole however large. See `query`."""
        with self._asking(sql, parameters, days, limits) as answer:
            names, rows = [column[0] for column in answer.description], answer.fetchall()
        _check_rows(len(rows), limits)
        return names, rows

    def query_columns(
        self, sql: str, parameters: Sequence[object] = (), *, days: Collection[date], limits: Limits = _USUAL
    ) -> dict[str, NDArray[Any]]:
        """Return the same as columns by name: arrays, masked where values are missing. See `query`."""
        with self._asking(sql, parameters, days, limits) as answer:
            columns = dict(answer.fetchnumpy())
        _check_rows(max(map(len, columns.values()), default=0), limits)
        return columns

    def days(self) -> dict[date, Manifest]:
        """Return the manifest of every archived day, in order.

        Raises:
            Corrupt: A manifest is damaged or missing, or two of one day contradict each other.
            OSError: The store failed; ask again.
        """
        if self._logged is not None:
            return {day: self._manifest(day) for day in sorted(self._logged)}
        by_day: dict[date, list[Manifest]] = {}
        for manifest in manifests(self._blobs, self._community):
            by_day.setdefault(manifest.facts.day, []).append(manifest)
        return {day: _agreed(by_day[day]) for day in sorted(by_day)}

    def check(self, day: date) -> Manifest:
        """Read a whole day back, every hash and tag rechecked, and return its manifest: before a log is pruned.

        Raises:
            Refused: The day is not archived.
            Corrupt: A blob is damaged or missing, or has not the rows that the manifest says.
            OSError: The store failed; ask again.
        """
        manifest = self._manifest(day)
        for table, place in manifest.tables.items():
            with sandbox({table: [self._plain(manifest, table)]}, memory_mb=_USUAL.memory_mb) as db:
                # Table names are our own: `TABLES` was checked when the manifest was found.
                found = db.execute(f"SELECT count(*), min(day), max(day) FROM {table}").fetchall()  # noqa: S608
            if found != [(place.rows, day, day) if place.rows else (0, None, None)]:
                raise Corrupt(f"table {table} of {day} has {place.rows} rows of that day, was {found[0]}")
        return manifest

    @contextmanager
    def _asking(
        self, sql: str, parameters: Sequence[object], days: Collection[date], limits: Limits
    ) -> Iterator[duckdb.DuckDBPyRelation]:
        if not days:
            raise InvalidValue("a query asks at least one day, was none")
        chosen = [self._manifest(day) for day in sorted(set(days))]
        # A table that is named nowhere, not even in a comment, cannot be meant.
        wanted = [table for table in TABLES if re.search(rf"\b{table}\b", sql, re.IGNORECASE)]
        size_bytes = sum(manifest.tables[table].size_bytes for manifest in chosen for table in wanted)
        if size_bytes > limits.memory_mb * _MEGABYTE:
            raise Refused("the chosen days outgrow the memory for them", bytes=size_bytes, limit_mb=limits.memory_mb)
        plain = {table: self._plains(chosen, table) for table in wanted}
        with sandbox(plain, memory_mb=limits.memory_mb) as db, _refusing(), _breaking_off(db, limits.seconds):
            statements = db.extract_statements(_unicode(sql))
            if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
                raise Refused("the archive takes one SELECT", found=[str(statement.type) for statement in statements])
            answer = db.sql(sql, params=list(parameters)) if parameters else db.sql(sql)
            # One more than may be, to tell a full answer from a cut one.
            yield answer.limit(limits.rows + 1)

    def _manifest(self, day: date) -> Manifest:
        if self._logged is None:
            found = list(manifests(self._blobs, self._community, day))
        elif day in self._logged:
            found = [self._as_logged(day, self._logged[day])]
        else:
            found = []
        if not found:
            raise Refused("the day is not archived", day=day, community=self._community)
        return _agreed(found)

    def _as_logged(self, day: date, digest: str) -> Manifest:
        name = f"{MANIFESTS}/{day.isoformat()}/{digest}"
        try:
            manifest = Manifest.from_json(self._blobs.get(name))
        except FileNotFoundError as error:
            raise Corrupt(f"manifest {name} is missing, and the log names it") from error
        if (manifest.facts.community, manifest.facts.day) != (self._community, day):
            raise Corrupt(f"manifest {name} is that of {manifest.facts.day} of {manifest.facts.community}")
        return manifest

    def _plains(self, chosen: Sequence[Manifest], table: str) -> Iterator[bytes]:
        """Yield one day after the other, so that no two stand in memory twice."""
        for manifest in chosen:
            yield self._plain(manifest, table)

    def _plain(self, manifest: Manifest, table: str) -> bytes:
        facts, place = manifest.facts, manifest.tables[table]
        try:
            sealed = self._blobs.get(f"{BLOBS}/{place.blob}")
        except FileNotFoundError as error:
            raise Corrupt(f"blob {place.blob} is missing: table {table} of {facts.day}") from error
        if len(sealed) != place.size_bytes:
            raise Corrupt(f"blob {place.blob} has {place.size_bytes} bytes in its manifest, was {len(sealed)}")
        return unseal(sealed, self._wrapping, facts.community, facts.day, table)


@contextmanager
def sandbox(tables: Mapping[str, Iterable[bytes]], *, memory_mb: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection that holds views over Parquet in memory and reaches nothing else of the machine.

    Args:
        tables: The Parquet files of each view, by name of `TABLES`.
        memory_mb: DuckDB's working memory.
    """
    with ExitStack() as open_files:
        paths: dict[str, list[str]] = {}
        for table, plains in tables.items():
            paths[table] = []
            for plain in plains:
                file = open_files.enter_context(private_file())
                fill(file, plain)
                paths[table].append(path_of(file))
        # Closed before the files are: the next to open one would get its number, and so its path.
        with duckdb.connect(":memory:") as db:
            _wall(db, [path for group in paths.values() for path in group], memory_mb)
            for table, group in paths.items():
                columns = ", ".join(["day", *(column.name for column in TABLES[table])])
                db.execute(f"CREATE VIEW {table} AS SELECT {columns} FROM read_parquet([{_quoted(group)}])")  # noqa: S608
            db.execute("SET lock_configuration = true")
            yield db


def _wall(db: duckdb.DuckDBPyConnection, paths: Sequence[str], memory_mb: int) -> None:
    """Close every way out of SQL but these paths."""
    db.execute(f"SET memory_limit = '{memory_mb}MB'")
    # Nothing plain may rest, so what outgrows the memory fails.
    db.execute("SET temp_directory = ''")
    # Otherwise SQL reads variables of whoever calls us.
    db.execute("SET python_enable_replacements = false")
    db.execute("SET autoinstall_known_extensions = false")
    db.execute("SET autoload_known_extensions = false")
    db.execute("SET allow_community_extensions = false")
    # DuckDB 1.3 writes them into the home folder even where external access is off.
    db.execute("SET allow_persistent_secrets = false")
    db.execute(f"SET allowed_paths = [{_quoted(paths)}]")
    db.execute("SET enable_external_access = false")


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn DuckDB's errors into refusals: the query is somebody's, and the days it asks are whole."""
    try:
        yield
    except duckdb.InterruptException as error:
        raise Refused("the query took too long") from error
    except duckdb.OutOfMemoryException as error:
        raise Refused("the query outgrew its memory") from error
    except duckdb.Error as error:
        raise Refused("the query cannot be answered", reason=str(error).splitlines()[0]) from error


@contextmanager
def _breaking_off(db: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    timer = Timer(seconds, db.interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        # So that it cannot meet a connection that is closed by now.
        timer.join()


def _agreed(found: Sequence[Manifest]) -> Manifest:
    """Return the manifest with the least hash of a day's; two writers at once leave two that agree."""
    for manifest in found:
        if manifest.facts != found[0].facts:
            raise Corrupt(f"two manifests contradict each other: {manifest.facts} and {found[0].facts}")
        if set(manifest.tables) != set(TABLES):
            raise Corrupt(f"an archived day has the tables {', '.join(TABLES)}, was {', '.join(manifest.tables)}")
    return min(found, key=Manifest.digest)


def _check_rows(rows: int, limits: Limits) -> None:
    if rows > limits.rows:
        raise Refused("the answer has too many rows", limit=limits.rows)


def _unicode(sql: str) -> str:
    try:
        sql.encode()
    except UnicodeEncodeError as error:
        raise Refused("a query is Unicode", found=ascii(error.object[error.start : error.end])) from error
    return sql


def _quoted(paths: Sequence[str]) -> str:
    return ", ".join(f"'{path}'" for path in paths)
