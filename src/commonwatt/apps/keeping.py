"""What is kept for long: days that are over go to the archive, and questions are asked of it."""

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from commonwatt.adapters.stores.archive.blobs import Blobs, DiskBlobs
from commonwatt.adapters.stores.archive.manifest import DayFacts
from commonwatt.adapters.stores.archive.read import Archive, Limits
from commonwatt.adapters.stores.archive.s3 import S3Blobs, S3Credentials
from commonwatt.adapters.stores.archive.tables import Columns
from commonwatt.adapters.stores.archive.write import archive_day
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps.accepting import desk_keys
from commonwatt.apps.erasing import hold_final, keep_snapshot
from commonwatt.apps.wiring import MASTER_KEY, open_log, open_log_alone
from commonwatt.flows.archiving import DayOfLog, take_day
from commonwatt.flows.desk import Desk
from commonwatt.flows.onboard import OPERATOR
from commonwatt.flows.replay import community_of, resume
from commonwatt.flows.rulebook.identity import trust_bodies
from commonwatt.flows.sequence import Sequencer
from commonwatt.model import CommunityId, InvalidValue, Kind, Outcome, Refused

CREDENTIALS = Path("keys") / "s3"
"""Where a folder may keep its credentials for S3, mode 0600; else the environment has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """A day in the archive: its manifest's digest, which the log tells, and what it holds."""

    day: date
    digest: str
    leaves: int
    entries: int
    readings: int
    size_bytes: int
    pruned: bool


def blobs_at(place: str, folder: Path) -> Blobs:
    """Return where an archive rests: a folder, or a bucket of any S3, ``s3://bucket@host:port``, https unless loopback.

    Raises:
        InvalidValue: It is neither.
    """
    parts = urlsplit(place)
    if parts.scheme != "s3":
        if parts.scheme:
            raise InvalidValue(f"an archive is a folder or s3://bucket@host:port, was {place!r}")
        return DiskBlobs(Path(place))
    if not (parts.username and parts.hostname):
        raise InvalidValue(f"a bucket is s3://bucket@host:port, was {place!r}")
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    endpoint = f"{'http' if local else 'https'}://{parts.hostname}:{parts.port or (80 if local else 443)}"
    kept = folder / CREDENTIALS
    found = S3Credentials.from_file(kept) if kept.exists() else S3Credentials.from_environment(os.environ)
    return S3Blobs(parts.username, endpoint=endpoint, credentials=found)


def archive(folder: Path, day: date, place: str, *, prune: bool) -> Archived:
    """Put one day that is over into the archive, tell the log of it, and let go of its leaves where that is asked.

    Nobody else may be writing to the log meanwhile: whoever did could not write any more. Calling again after a kill
    finishes what was begun. What may still be found to be wrong is not archived: a day has to be final, see
    `commonwatt.flows.finality`.

    Args:
        folder: The community's.
        day: UTC.
        place: See `blobs_at`.
        prune: Whether the operational log lets go of what is archived now.

    Raises:
        Refused: The day is not over, or not final, or already archived otherwise; nothing was written or let go of.
        OSError: The archive could not be written; nothing was let go of.
    """
    wrapping = MasterKey.in_file(folder / MASTER_KEY)
    blobs = blobs_at(place, folder)
    with open_log_alone(folder) as log:
        community = community_of(log)
        taken = take_day(log, community, day)
        end = taken.leaves[-1].position + 1
        hold_final(folder, log, taken.witnesses, end)
        manifest = archive_day(blobs, wrapping, _facts(taken), _tables(taken))
        log.save_snapshot(end, taken.snapshot)
        sequencer = Sequencer(log, community, lambda _: os.urandom(32))
        if sequencer.state.archived.get(day.isoformat()) != manifest.digest():
            desk = Desk(sequencer.state)
            told = trust_bodies.Archived(day=day.isoformat(), manifest=manifest.digest())
            desk.write(desk_keys(folder)[0], OPERATOR, Kind.ATTEST, told)
            (outcome,) = sequencer.submit(desk.wires, sequencer.last_s)
            if outcome is not Outcome.BOOKED:
                raise Refused("the log is told of what is archived", day=day, outcome=outcome)
        if prune:
            Archive(blobs, wrapping, CommunityId(community)).check(day)
            keep_snapshot(log, community, end)
            log.prune(end)
    return Archived(
        day=day,
        digest=manifest.digest(),
        leaves=len(taken.leaves),
        entries=len(taken.entries),
        readings=len(taken.readings),
        size_bytes=sum(table.size_bytes for table in manifest.tables.values()),
        pruned=prune,
    )


def ask(folder: Path, place: str, sql: str, *, rows: int) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Answer one SELECT over the archived days of a community: tables leaf, entry and reading, each with its day.

    Returns:
        Names of the columns, and the rows.

    Raises:
        Refused: The question is no single SELECT, or reaches out of the archive.
        Corrupt: A day is not the one that the log tells of.
    """
    wrapping = MasterKey.in_file(folder / MASTER_KEY)
    with open_log(folder) as log:
        state = resume(log, community_of(log)).state
    logged = {date.fromisoformat(day): digest for day, digest in state.archived.items()}
    known = Archive(blobs_at(place, folder), wrapping, CommunityId(state.community), logged=logged)
    return known.query_named(sql, days=list(logged), limits=Limits(rows=rows))


def _facts(taken: DayOfLog) -> DayFacts:
    return DayFacts(
        community=CommunityId(taken.community),
        day=taken.day,
        first_position=taken.leaves[0].position,
        last_position=taken.leaves[-1].position,
        log_root=taken.log_root.hex(),
        state_root=taken.state_root.hex(),
    )


def _tables(taken: DayOfLog) -> dict[str, Columns]:
    leaves, entries, told = taken.leaves, taken.entries, taken.readings
    return {
        "leaf": {
            "position": [row.position for row in leaves],
            "stamped_s": [row.stamped_s for row in leaves],
            "author": [row.author for row in leaves],
            "seq": [row.seq for row in leaves],
            "owner": [row.owner for row in leaves],
            "outcome": [row.outcome.value for row in leaves],
            "closes": [int(row.closes) for row in leaves],
            "salt": [row.salt for row in leaves],
            "body": [row.body for row in leaves],
            "items": [row.items for row in leaves],
        },
        "entry": {
            "position": list(range(taken.first_entry, taken.first_entry + len(entries))),
            "commodity": [entry.commodity.value for entry in entries],
            "source": [entry.source for entry in entries],
            "target": [entry.target for entry in entries],
            "amount": [entry.amount for entry in entries],
            "memo": [str(entry.memo) for entry in entries],
            "slot_s": [entry.slot_s for entry in entries],
            "ref": [entry.ref for entry in entries],
        },
        "reading": {
            "position": [one.position for one in told],
            "asset": [one.asset for one in told],
            "start_s": [one.item.start_s for one in told],
            "seconds": [one.item.seconds for one in told],
            "import_wh": [one.item.import_wh for one in told],
            "export_wh": [one.item.export_wh for one in told],
            "level_wh": [one.item.level_wh for one in told],
            "quality": [one.item.quality.name.lower() for one in told],
        },
    }
