"""What assets are to do, what their owners said, and what waits for an owner's word."""

from collections.abc import Sequence
from dataclasses import dataclass

from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import asset_of, assets_of, check
from commonwatt.apps.views.speaking import beyond
from commonwatt.apps.views.wanted import Ready, ready, standing
from commonwatt.flexibility import language
from commonwatt.flexibility.language import Names
from commonwatt.flexibility.permission import objection
from commonwatt.flows.rulebook.flexibility import stating
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import (
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Consent,
    InvalidValue,
    Reach,
    Refused,
    Schedule,
    epoch,
    instant,
    zone_of,
)

MOST_LENT = 200
"""Meters that are shown at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetView:
    """An asset as it is registered, how its owner lets it be scheduled, and its last slot that was read."""

    asset: Asset
    consent: Consent
    suspended: bool
    last_slot_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingView:
    """What is believed of a meter in one slot; Wh, and how it came to be."""

    slot_s: int
    import_wh: int
    export_wh: int
    level_wh: int | None
    quality: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lent:
    """A meter of somebody else's whose owner lets who asks look at it, and its last slot that was read."""

    owner: AccountId
    asset: AssetId
    last: ReadingView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a diary: what is to be done, from when to when, at which power, and why."""

    verb: str
    start_s: int
    end_s: int
    power_w: int
    expected_wh: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A schedule that waits for its owner's word."""

    asset: AssetId
    issued_s: int
    deadline_s: int
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """Some entries after each other in which an asset does the same: it draws, gives, or rests.

    Args:
        start_s: From when, seconds since 1970.
        end_s: Until when.
        way: 1 where it draws, -1 where it gives, 0 where it rests.
        most_w: The highest power, zero or more.
        energy_wh: What is expected to pass, zero or more.
        reason: Of its first entry.
    """

    start_s: int
    end_s: int
    way: int
    most_w: int
    energy_wh: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diary:
    """An asset's diary as of now: what is in force, what waits, and by when it is to be ready."""

    asset: AssetId
    as_of_s: int
    consent: Consent
    issued_s: int | None
    entries: Sequence[Entry]
    waiting: Waiting | None
    ready: Ready | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedView:
    """A line that stands, whose it is, what it says with its day written out, and until when it matters."""

    position: int
    account: AccountId
    text: str
    means: str
    ends_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """What a line says as it was understood, or at which word it cannot be, and why.

    Args:
        text: The line.
        means: Each bound of it in the language's own full words.
        may: Whether who asks may state it.
        why: Why not, or what cannot be read.
        at_word: The word at which it cannot; empty where it is no single one.
        instead: The whole line with the word that may have been meant; empty where none is near.
    """

    text: str
    means: Sequence[str]
    may: bool
    why: str
    at_word: str = ""
    instead: str = ""


def assets(community: Community, seat: Seat) -> list[AssetView]:
    """Return the assets that a seat may see."""
    return [_asset(community, asset) for asset in assets_of(community, seat)]


def asset(community: Community, seat: Seat, name: str) -> AssetView:
    """Return one.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    return _asset(community, asset_of(community, seat, name, Action.SEE_ASSETS))


def readings(community: Community, seat: Seat, name: str, from_s: int, to_s: int) -> list[ReadingView]:
    """Return what is believed of an asset's meter in the slots of [from_s, to_s), in order.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    found = asset_of(community, seat, name, Action.SEE_READINGS)
    return [
        ReadingView(
            slot_s=one.slot_s,
            import_wh=one.reading.import_wh,
            export_wh=one.reading.export_wh,
            level_wh=one.reading.level_wh,
            quality=one.quality.name.lower(),
        )
        for one in community.chronicle.readings(found.id, from_s, to_s)
    ]


def lent(community: Community, seat: Seat, from_s: int, to_s: int) -> list[Lent]:
    """Return the meters that others let a seat look at, by owner, each with its last slot in [from_s, to_s)."""
    others = [one for one in assets_of(community, seat, Action.SEE_READINGS) if one.owner != seat.account]
    found = []
    for one in sorted(others, key=lambda asset: (asset.owner, asset.id))[:MOST_LENT]:
        told = readings(community, seat, one.id, from_s, to_s)
        found.append(Lent(owner=one.owner, asset=one.id, last=told[-1] if told else None))
    return found


def reading_columns(found: Sequence[ReadingView]) -> dict[str, list[object]]:
    """Return readings as columns, named as the archive names them."""
    return {
        "start_s": [one.slot_s for one in found],
        "import_wh": [one.import_wh for one in found],
        "export_wh": [one.export_wh for one in found],
        "level_wh": [one.level_wh for one in found],
        "quality": [one.quality for one in found],
    }


def diary(community: Community, seat: Seat, name: str) -> Diary:
    """Return an asset's diary.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    found = asset_of(community, seat, name, Action.SEE_SCHEDULES)
    state = community.state
    schedule, proposal = state.schedules.get(found.id), state.proposals.get(found.id)
    waits = None
    if proposal is not None and proposal.waits(community.now_s()):
        waits = Waiting(
            asset=found.id,
            issued_s=epoch(proposal.schedule.issued),
            deadline_s=proposal.deadline_s,
            entries=_entries(proposal.schedule),
        )
    return Diary(
        asset=found.id,
        as_of_s=community.told_s,
        consent=state.consent(found.id),
        issued_s=None if schedule is None else epoch(schedule.issued),
        entries=[] if schedule is None else _entries(schedule),
        waiting=waits,
        ready=ready(community, found),
    )


def spells(entries: Sequence[Entry]) -> list[Spell]:
    """Return entries in order of time, those that follow each other and do the same as one."""
    told: list[Spell] = []
    for one in sorted(entries, key=lambda one: one.start_s):
        here = Spell(
            start_s=one.start_s,
            end_s=one.end_s,
            way=(one.power_w > 0) - (one.power_w < 0),
            most_w=abs(one.power_w),
            energy_wh=abs(one.expected_wh),
            reason=one.reason,
        )
        if told and told[-1].way == here.way and told[-1].end_s == here.start_s:
            here = _joined(told.pop(), here)
        told.append(here)
    return told


def stated(community: Community, seat: Seat, account: AccountId) -> list[StatedView]:
    """Return an account's statements that stand; to a seat that is about some zones, those about them.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    check(community, seat, Action.SEE_CONSTRAINTS, account)
    zone = zone_of(community.state.charter.timezone)
    return [
        StatedView(
            position=one.position,
            account=one.account,
            text=one.text,
            means=language.text(one.statement, zone),
            ends_s=one.ends_s,
        )
        for one in standing(community, account)
        if beyond(community, seat, one.statement) is None
    ]


def understood(community: Community, seat: Seat, text: str) -> Understood:
    """Return what a line says, as somebody types it; nothing is stated by it."""
    if seat.account is None:
        raise Refused("a statement is somebody's", role=seat.role.value)
    state, zone = community.state, zone_of(community.state.charter.timezone)
    try:
        said = language.read(text, instant(community.now_s()), zone, _names(community, seat))
    except Refused as refused:
        word = str(refused.found.get("at_word", "")).strip("'\"")
        return Understood(
            text=text, means=[], may=False, why=str(refused), at_word=word, instead=_instead(text, refused, word)
        )
    except InvalidValue as error:
        return Understood(text=text, means=[], may=False, why=str(error))
    known = stating.known(state)
    role = "member" if seat.role is Role.MEMBER else seat.role.value
    noes = [beyond(community, seat, one) for one in said.statements]
    if not said.no_longer:
        noes += [objection(one, role, seat.account, known) for one in said.statements]
    why = next((str(no) for no in noes if no is not None), "")
    means = [language.text(one, zone) for one in said.statements]
    return Understood(text=text, means=means, may=not why, why=why)


def _instead(text: str, refused: Refused, word: str) -> str:
    """Return a line with the word in it that may have been meant."""
    meant, column = refused.found.get("did_you_mean"), refused.found.get("column")
    if not meant or not isinstance(column, int) or not text[column - 1 :].startswith(word):
        return ""
    return f"{text[: column - 1]}{meant}{text[column - 1 + len(word) :]}"


def _joined(first: Spell, then: Spell) -> Spell:
    return Spell(
        start_s=first.start_s,
        end_s=then.end_s,
        way=first.way,
        most_w=max(first.most_w, then.most_w),
        energy_wh=first.energy_wh + then.energy_wh,
        reason=first.reason,
    )


def _names(community: Community, seat: Seat) -> Names | None:
    """Return the names that a member's statement may hold; for who states for zones, any will do."""
    if seat.role is not Role.MEMBER:
        return None
    own = [one for one in community.state.assets.values() if one.owner == seat.account]
    return {
        Reach.ASSET: [one.id for one in own],
        Reach.CONNECTION: [one.id for one in own if one.kind is AssetKind.CONNECTION],
    }


def _asset(community: Community, found: Asset) -> AssetView:
    return AssetView(
        asset=found,
        consent=community.state.consent(found.id),
        suspended=community.state.trusted.suspended(found.id),
        last_slot_s=community.chronicle.last_slot_s(found.id),
    )


def _entries(schedule: Schedule) -> list[Entry]:
    return [
        Entry(
            verb=one.verb.value,
            start_s=epoch(one.interval.start),
            end_s=epoch(one.interval.end),
            power_w=one.power_w,
            expected_wh=one.expected_wh,
            reason=one.reason,
        )
        for one in schedule.instructions
    ]
