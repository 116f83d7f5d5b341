"""What is known of every device of a gateway, and the rules by which it is alarmed, quarantined, released and replaced.

Each rule is a function from what is known and what happened to what is known now, and what to write down of it.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from commonwatt.metering.check import ROUNDING_WH
from commonwatt.metering.parting import Exchange
from commonwatt.metering.registers import Happened, Register, advance
from commonwatt.model import NO_NAMEPLATE, SLOT_SECONDS, Asset, AssetId, DeviceState, InvalidValue, Nameplate, epoch


class Health(StrEnum):
    """How a device fares; what comes first in this list outranks what follows."""

    REMOVED = "removed"
    REPLACED = "replaced"
    QUARANTINED = "quarantined"
    SILENT = "silent"
    NEW = "new"
    HEALTHY = "healthy"


class Mark(StrEnum):
    """What is written down of a device's life."""

    ADDED = "added"
    MOVED = "moved"
    SEEN = "first seen"
    NAMED = "nameplate"
    SILENT = "silent"
    BACK = "back"
    SKEWED = "clock wrong"
    RIGHTED = "clock right"
    QUARANTINED = "quarantined"
    RELEASED = "released"
    RESET = "counters set back"
    REPLACED = "replaced"
    REMOVED = "removed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When a device is alarmed of, and when it is believed no more.

    Args:
        silent_after_s: An alarm is raised once a device has answered no question for so long.
        nonsense_most: So many answers that cannot be true ...
        nonsense_within_s: ... within so many seconds bring a device into quarantine.
        good_in_a_row: So many good readings, one after another, bring it out again.
        tolerance_permille: By how much an asset may pass its registered limits, in thousandths of them ...
        tolerance_w: ... and beside: what stands by draws a little, and no meter is exact.
        skew_s: By how much a device's clock may be ahead or behind, and the moment of what it shows ahead.
    """

    silent_after_s: int = 120
    nonsense_most: int = 3
    nonsense_within_s: int = 600
    good_in_a_row: int = 5
    tolerance_permille: int = 100
    tolerance_w: int = 100
    skew_s: int = 300

    def __post_init__(self) -> None:
        if min(self.silent_after_s, self.nonsense_most, self.nonsense_within_s, self.good_in_a_row) < 1:
            raise InvalidValue(f"rules of a device count from one up, was {self}")
        if min(self.tolerance_permille, self.tolerance_w, self.skew_s) < 0:
            raise InvalidValue(f"what is tolerated is zero or more, was {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All that is known of one device, by its number in this gateway's inventory. Moments are seconds since 1970.

    Args:
        number: Counts up from 1; a device that takes another's place has a number of its own.
        asset: What it is the device of.
        driver: By which it is spoken to.
        url: Where.
        added_s: When it was put here.
        nameplate: What it says of itself.
        first_seen_s: When it answered first.
        last_seen_s: When it answered last, sense or nonsense.
        last_good_s: When it was believed last.
        unanswered_s: When the first question was asked that it has not answered since; None where it answers.
        failures: Questions since then.
        nonsense: Answers that could not be true, in all.
        lately_s: When the last of them came, as many as are needed to judge.
        good_in_a_row: Good readings since the last of them.
        silent_s: Since when an alarm of silence stands.
        ahead_s: By how much its clock was ahead of ours when it told it last.
        skewed_s: Since when an alarm of a wrong clock stands.
        quarantined_s: Since when it is in quarantine.
        stranger: The serial number of another device that answers in its place.
        ended_s: When it was replaced or removed.
        ended_as: Which of the two.
        trouble: What went wrong last, in words; empty where nothing does.
        import_wh: Its counter, as it was believed last.
        export_wh: Likewise.
        power_w: Likewise.
        level_wh: Likewise.
    """

    number: int
    asset: AssetId
    driver: str
    url: str
    added_s: int
    nameplate: Nameplate = NO_NAMEPLATE
    first_seen_s: int | None = None
    last_seen_s: int | None = None
    last_good_s: int | None = None
    unanswered_s: int | None = None
    failures: int = 0
    nonsense: int = 0
    lately_s: tuple[int, ...] = ()
    good_in_a_row: int = 0
    silent_s: int | None = None
    ahead_s: int | None = None
    skewed_s: int | None = None
    quarantined_s: int | None = None
    stranger: str = ""
    ended_s: int | None = None
    ended_as: Health | None = None
    trouble: str = ""
    import_wh: int | None = None
    export_wh: int | None = None
    power_w: int | None = None
    level_wh: int | None = None

    @property
    def health(self) -> Health:
        """How it fares."""
        if self.ended_as is not None:
            return self.ended_as
        if self.quarantined_s is not None:
            return Health.QUARANTINED
        if self.silent_s is not None:
            return Health.SILENT
        return Health.NEW if self.last_good_s is None else Health.HEALTHY

    @property
    def alarmed(self) -> bool:
        """Whether somebody should look after it."""
        if self.ended_as is not None:
            return False
        return self.health in (Health.QUARANTINED, Health.SILENT) or self.skewed_s is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One line of a device's history."""

    at_s: int
    number: int
    asset: AssetId
    mark: Mark
    words: str


class Change(NamedTuple):
    """What is known now, and what to write down."""

    record: Record
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What has to be known of a device's counters to judge them, as `flows.gateway.Counter`."""

    rollover_wh: int | None = None
    resolution_wh: int = ROUNDING_WH


def showed(record: Record, asset: Asset, state: DeviceState, at_s: int, rules: Rules, meter: Meter) -> Change:
    """Take in what a device showed. What cannot be true of its asset brings it into quarantine at once.

    Args:
        record: What is known of it.
        asset: With its registered limits (row M6).
        state: What it showed.
        at_s: Now.
        rules: By which it is judged.
        meter: How its counters go.
    """
    if why := implausible(record, asset, state, at_s, rules, meter):
        return babbled(record, at_s, why, rules, at_once=True)
    change = _heard(record, min(at_s, epoch(state.at)), at_s)
    row = change.record.good_in_a_row + 1
    now = replace(change.record, good_in_a_row=row, lately_s=_within(record.lately_s, at_s, rules))
    if now.quarantined_s is not None:
        if row < rules.good_in_a_row or now.stranger:
            return Change(now, change.notes)
        change = _let_out(now, at_s, f"{row} good readings in a row", change.notes)
        now = change.record
    now = replace(
        now,
        last_good_s=at_s,
        trouble="",
        import_wh=state.import_wh if state.import_wh is not None else now.import_wh,
        export_wh=state.export_wh if state.export_wh is not None else now.export_wh,
        power_w=state.power_w,
        level_wh=state.level_wh,
    )
    return Change(now, change.notes)


def implausible(record: Record, asset: Asset, state: DeviceState, at_s: int, rules: Rules, meter: Meter) -> str:
    """Return why what a device showed cannot be true of its asset, or nothing."""
    if epoch(state.at) - at_s > rules.skew_s:
        return f"it shows what will be in {epoch(state.at) - at_s} s, limit {rules.skew_s} s"
    most_w = [_tolerant_w(limit_w, rules) for limit_w in (asset.max_import_w, asset.max_export_w)]
    if state.power_w is not None and not -most_w[1] <= state.power_w <= most_w[0]:
        return f"power beyond the asset's limits: found {state.power_w} W, limits {-most_w[1]} to {most_w[0]} W"
    if asset.stores and state.level_wh is not None and state.level_wh > _tolerant_w(asset.capacity_wh, rules):
        return f"level beyond the asset's capacity: found {state.level_wh} Wh, capacity {asset.capacity_wh} Wh"
    known = ((record.import_wh, state.import_wh, most_w[0]), (record.export_wh, state.export_wh, most_w[1]))
    for way, (before_wh, value_wh, way_w) in zip(("import", "export"), known, strict=True):
        if value_wh is None or before_wh is None or record.last_good_s is None or value_wh == before_wh:
            continue
        try:
            register = Register(
                value_wh=before_wh,
                at_s=record.last_good_s,
                rollover_at_wh=meter.rollover_wh,
                resolution_wh=meter.resolution_wh,
            )
        except InvalidValue as error:
            return f"counter of {way}: {error}"
        # A slot of patience: what a device pushes or a cloud tells may be older than the moment at which it is read.
        step = advance(register, value_wh, max(at_s, record.last_good_s) + SLOT_SECONDS, way_w)
        if step.happened is Happened.DOUBTED:
            return f"counter of {way}: {step.why}"
    return ""


def babbled(record: Record, at_s: int, why: str, rules: Rules, *, at_once: bool = False) -> Change:
    """Take in an answer that cannot be true; too many of them, or one of the worst, bring a device into quarantine."""
    change = _heard(record, at_s, at_s)
    lately_s = (*_within(record.lately_s, at_s, rules), at_s)[-rules.nonsense_most :]
    now = replace(change.record, nonsense=record.nonsense + 1, lately_s=lately_s, good_in_a_row=0, trouble=why)
    if now.quarantined_s is not None or not (at_once or len(lately_s) >= rules.nonsense_most):
        return Change(now, change.notes)
    words = why if at_once else f"{len(lately_s)} answers in {at_s - lately_s[0]} s could not be true, the last: {why}"
    now = replace(now, quarantined_s=at_s)
    return Change(now, (*change.notes, _note(now, at_s, Mark.QUARANTINED, words)))


def unanswered(record: Record, at_s: int, why: str, rules: Rules) -> Change:
    """Take in that a question got no answer; one alarm is raised once that went on for too long."""
    since_s = at_s if record.unanswered_s is None else record.unanswered_s
    now = replace(record, unanswered_s=since_s, failures=record.failures + 1, trouble=why)
    if now.silent_s is not None or at_s - since_s < rules.silent_after_s:
        return Change(now)
    now = replace(now, silent_s=at_s)
    return Change(now, (_note(now, at_s, Mark.SILENT, f"no answer for {at_s - since_s} s: {why}"),))


def ticked(record: Record, ahead_s: int | None, at_s: int, rules: Rules) -> Change:
    """Take in by how much a device's clock is ahead of ours; where it did not tell, what was known stands.

    One alarm is raised while it is wrong. Its readings are believed all the same: they bear our time, not its own.
    """
    if ahead_s is None:
        return Change(record)
    now = replace(record, ahead_s=ahead_s)
    wrong = abs(ahead_s) > rules.skew_s
    if wrong == (record.skewed_s is not None):
        return Change(now)
    now = replace(now, skewed_s=at_s if wrong else None)
    words = f"{clock_words(ahead_s)}, limit {rules.skew_s} s"
    return Change(now, (_note(now, at_s, Mark.SKEWED if wrong else Mark.RIGHTED, words),))


def clock_words(ahead_s: int) -> str:
    """Return what a clock shows beside ours, as people say it."""
    return f"its clock is {abs(ahead_s)} s {'ahead' if ahead_s > 0 else 'behind'}"


def answered(record: Record, at_s: int) -> Change:
    """Take in that it answered something else than a reading: a command."""
    return _heard(record, at_s, at_s)


def named(record: Record, nameplate: Nameplate, retired: Collection[str], at_s: int, rules: Rules) -> Change:
    """Take in what a device says of itself; one that is not the one that was put here is not believed.

    Args:
        record: What is known of it.
        nameplate: What it says now.
        retired: Serial numbers of devices that were replaced.
        at_s: Now.
        rules: By which it is judged.
    """
    serial, known = nameplate.serial, record.nameplate
    why = ""
    if serial and serial in retired and serial != known.serial:
        why = f"the device with serial number {serial} was replaced, and speaks again"
    elif serial and known.serial and serial != known.serial:
        why = f"another device answers: serial number {serial}, was {known.serial}; announce it by replace"
    if why:
        if serial == record.stranger:
            return Change(record)
        now, notes = babbled(replace(record, stranger=serial), at_s, why, rules, at_once=True)
        return Change(now, notes)
    now = replace(record, stranger="", nameplate=nameplate.over(known))
    if now.nameplate == known:
        return Change(now)
    words = f"{known} -> {now.nameplate}" if known != NO_NAMEPLATE else str(now.nameplate)
    return Change(now, (_note(now, at_s, Mark.NAMED, words),))


def released(record: Record, at_s: int, by: str) -> Change:
    """Let a device out of quarantine because somebody says so; if it goes on as before, it goes back."""
    if record.quarantined_s is None:
        return Change(record)
    return _let_out(replace(record, stranger="", trouble=""), at_s, f"released by {by}", ())


def set_back(record: Record, exchange: Exchange, at_s: int, by: str) -> Change:
    """Take in that its counters began again, as somebody announced."""
    first = exchange.first
    now = replace(record, import_wh=first[0], export_wh=first[1], last_good_s=at_s)
    words = f"counters begin again at {first[0]} and {first[1]} Wh, announced by {by}"
    return Change(now, (_note(now, at_s, Mark.RESET, words),))


def moved(record: Record, driver: str, url: str, at_s: int) -> Change:
    """Take in that a device is spoken to in another way, or at another place; it stays the same device."""
    if (record.driver, record.url) == (driver, url):
        return Change(record)
    now = replace(record, driver=driver, url=url)
    return Change(now, (_note(now, at_s, Mark.MOVED, f"{record.driver} {record.url} -> {driver} {url}"),))


def ended(record: Record, at_s: int, how: Health, words: str) -> Change:
    """End a device's record: it was replaced or removed. Its history stays."""
    if record.ended_as is not None:
        return Change(record)
    mark = Mark.REPLACED if how is Health.REPLACED else Mark.REMOVED
    now = replace(record, ended_s=at_s, ended_as=how, trouble=words)
    return Change(now, (_note(now, at_s, mark, words),))


def spoke_again(record: Record, at_s: int) -> Change:
    """Take in that a device was asked after its end; the first time is written down."""
    if record.ended_s is None or (record.last_seen_s or 0) > record.ended_s:
        return Change(record)
    now = replace(record, last_seen_s=max(at_s, record.ended_s + 1))
    return Change(now, (_note(now, at_s, Mark.REFUSED, f"it spoke after it was {record.ended_as}"),))


def begun(record: Record, words: str = "") -> Change:
    """Begin a device's record."""
    return Change(record, (_note(record, record.added_s, Mark.ADDED, words or f"{record.driver} at {record.url}"),))


def woken(record: Record) -> Record:
    """Begin to look after a device anew: silence while nobody asked is none."""
    return replace(record, unanswered_s=None, failures=0)


def _heard(record: Record, seen_s: int, at_s: int) -> Change:
    notes: tuple[Note, ...] = ()
    if record.first_seen_s is None:
        notes = (_note(record, at_s, Mark.SEEN, f"by driver {record.driver}"),)
    if record.silent_s is not None:
        notes = (*notes, _note(record, at_s, Mark.BACK, f"after {at_s - record.silent_s} s of alarm"))
    now = replace(
        record,
        first_seen_s=at_s if record.first_seen_s is None else record.first_seen_s,
        last_seen_s=max(seen_s, record.last_seen_s or 0),
        unanswered_s=None,
        failures=0,
        silent_s=None,
        trouble=record.trouble if record.quarantined_s is not None else "",
    )
    return Change(now, notes)


def _let_out(record: Record, at_s: int, words: str, notes: tuple[Note, ...]) -> Change:
    now = replace(record, quarantined_s=None, lately_s=(), good_in_a_row=0)
    return Change(now, (*notes, _note(now, at_s, Mark.RELEASED, words)))


def _within(lately_s: tuple[int, ...], at_s: int, rules: Rules) -> tuple[int, ...]:
    return tuple(moment for moment in lately_s if at_s - moment < rules.nonsense_within_s)


def _tolerant_w(limit: int, rules: Rules) -> int:
    return limit + limit * rules.tolerance_permille // 1000 + rules.tolerance_w


def _note(record: Record, at_s: int, mark: Mark, words: str) -> Note:
    return Note(at_s=at_s, number=record.number, asset=record.asset, mark=mark, words=words)
