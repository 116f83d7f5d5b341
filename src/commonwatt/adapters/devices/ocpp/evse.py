"""One EVSE, or connector of OCPP 1.6: what it shows, and its transactions in whatever order they are told."""

from collections.abc import Iterable
from typing import Any

import msgspec

from commonwatt.adapters.devices.ocpp.counters import AHEAD_S, Counter, believed
from commonwatt.adapters.devices.ocpp.translate import Sample

KEPT_SESSIONS = 20
"""So many transactions of an EVSE are remembered, to know a repeated message when it comes."""
KEPT_RECORDS, LONGEST_RECORD = 8, 8192
"""Of signed meter values of one transaction, how many and how long."""
KEPT_STRETCHES = 64
"""Of a transaction's events with gaps between; the oldest gaps are given up, and what comes for them is not taken."""
PROMPT_S = 60
"""What is on its way for so long was not kept back: meter values come every minute or so."""
LIVE_S = 20
"""Samples that come closer together tell nothing of whether they are live."""
BY_FAR = 1.25
"""Power above the fuse times this is no measurement."""


class Session(msgspec.Struct):
    """One transaction.

    Args:
        id: Its id; of OCPP 1.6 a number that we gave, as text.
        began_s: Station's time of its start, or of the first that was heard of it; ours where its clock is far ahead.
        meter_start_wh: What the register showed then, None where that was never told.
        id_tag: Who started it.
        seen: Numbers of the events that were heard, as stretches from-to; what lies between is missing yet.
        ended: Whether its end was heard.
        meter_stop_wh: What the register showed at its end.
        state: Charging state of OCPP 2.x.
        began_total_wh: Our own sum of the register, which never starts anew, when it began, and
        ended_total_wh: when it ended.
        told: Time and register of its start as OCPP 1.6 told them, to know a start that is told again.
        signed: Signed meter values as they came, the first ones and the last.
    """

    id: str
    began_s: int
    meter_start_wh: int | None = None
    id_tag: str = ""
    seen: list[list[int]] = []
    ended: bool = False
    meter_stop_wh: int | None = None
    state: str = ""
    signed: list[str] = []
    began_total_wh: int | None = None
    ended_total_wh: int | None = None
    told: tuple[int, str] | None = None

    def sign(self, records: Iterable[str]) -> None:
        """Keep signed meter values: of many those of the beginning and of the end."""
        for one in records:
            if one not in self.signed and len(one) <= LONGEST_RECORD:
                self.signed.append(one)
        del self.signed[KEPT_RECORDS // 2 : -(KEPT_RECORDS // 2)]

    def hear(self, number: int) -> bool:
        """Note the number of an event, and tell whether it is new."""
        for i, (first, last) in enumerate(self.seen):
            if first <= number <= last:
                return False
            if number < first:
                self.seen.insert(i, [number, number])
                break
        else:
            self.seen.append([number, number])
        joined: list[list[int]] = []
        for first, last in self.seen:
            if joined and first == joined[-1][1] + 1:
                joined[-1][1] = last
            else:
                joined.append([first, last])
        if len(joined) > KEPT_STRETCHES:
            joined[:2] = [[joined[0][0], joined[1][1]]]
        self.seen = joined
        return True

    @property
    def missing(self) -> int:
        """How many events before the newest were not heard yet."""
        if not self.seen:
            return 0
        return self.seen[-1][1] + 1 - sum(last - first + 1 for first, last in self.seen)


class Evse(msgspec.Struct):
    """What one EVSE shows. All of it outlives a restart of ours, and stands until something newer is told.

    Args:
        number: Of the EVSE, or of 1.6's connector; 0 is the station's own meter.
        fuse_w: Most that can flow through it, 0 where that is unknown.
        volts: Between phase and neutral, and
        phases: on how many it charges, for a station that tells amperes and no power.
        tells_power: Whether it ever told power: then none is estimated from amperes.
        status: As the station calls it; of several connectors that of one that is not free.
        reset: Per counter whether the register may start anew: the station restarted.
        unheard: Whether a transaction began without telling what the import register showed.
        sampled_s: Station's time of the newest sample.
        heard_s: Our time from which the newest sample is that was used: when it came, less what it was kept back.
        told_s: Our time when anything was told last, be it late or untrue.
        told_at_s: Station's time of that.
        behind_s: How much later by our clock than by the station's a value comes that was not kept back; None before
            the first one.
        doubt: Why the newest sample cannot be true; empty where it can.
    """

    number: int
    imported: Counter = msgspec.field(default_factory=Counter)
    exported: Counter = msgspec.field(default_factory=Counter)
    sessions: list[Session] = []
    fuse_w: int = 0
    volts: int = 230
    phases: int = 1
    tells_power: bool = False
    status: str = ""
    connectors: dict[int, str] = {}
    error: str = ""
    reset: set[str] = set()
    unheard: bool = False
    power_w: int | None = None
    level_ppm: int | None = None
    frequency_mhz: int | None = None
    sampled_s: int = 0
    heard_s: int | None = None
    told_s: int | None = None
    told_at_s: int = 0
    behind_s: int | None = None
    doubt: str = ""
    wants: dict[str, Any] | None = None

    @property
    def session(self) -> Session | None:
        """The transaction that runs: the one that began last, unless it has ended."""
        newest = max(reversed(self.sessions), key=lambda session: session.began_s, default=None)  # of two, the later
        return None if newest is None or newest.ended else newest

    @property
    def plugged(self) -> bool | None:
        """Whether a car is at the plug, None while that was never told."""
        if self.session is not None:
            return True
        if not self.status:
            return None
        return self.status not in ("Available", "Unavailable", "Faulted", "Reserved")

    def find(self, id: str) -> Session | None:
        """Return a remembered transaction."""
        return next((session for session in self.sessions if session.id == id), None)

    def begin(self, id: str, began_s: int, meter_start_wh: int | None = None, id_tag: str = "") -> Session:
        """Remember a new transaction, and forget the oldest that ended."""
        session = Session(id, began_s, meter_start_wh, id_tag)
        self.sessions.append(session)
        self._forget()
        return session

    def _forget(self) -> None:
        if len(self.sessions) > KEPT_SESSIONS:
            self.sessions.remove(next((one for one in self.sessions if one.ended), self.sessions[0]))

    def rest(self, at_s: int) -> None:
        """Take it that nothing flows once no transaction runs: few stations tell power outside of one."""
        if self.session is None and at_s >= self.sampled_s:
            self.power_w = 0

    def adopt(self, session: Session) -> None:
        """Take over a transaction that turns out to be ours; what it took elsewhere is not known."""
        self.sessions.append(session)
        self.reset |= {"import", "export"}
        session.began_total_wh = self.imported.total_wh
        self._forget()

    def stood_wh(self, register_wh: int | None) -> int | None:
        """Return our sum at a start that is told after what came later: when the register showed so much."""
        shows_wh = self.imported.last_wh
        if shows_wh is None or register_wh is None or register_wh > shows_wh:
            return self.imported.total_wh
        return self.imported.base_wh + register_wh

    def begin_unheard(self) -> None:
        """Take it that a transaction began, and that what its meter showed then was not told."""
        self.reset |= {"import", "export"}
        self.unheard = True

    def register(self, wh: int, at_s: int, now_s: int, *, reset: bool) -> None:
        """Take what the import register showed at a start or an end; after a start all of them may stand anew."""
        if reset:
            self.reset |= {"import", "export"}
            self.unheard = False
        self.doubt = self.imported.take(wh, at_s, now_s, self.fuse_w, reset="import" in self.reset)

    def take(self, sample: Sample, now_s: int) -> None:
        """Take what was measured; of a sample that cannot be true nothing is used.

        What is older by the station's clock counts where its register is the higher one, or where we asked for it.
        """
        kept_s = self._kept_back_s(sample, now_s)
        self.told_s, self.told_at_s = now_s, sample.at_s
        self.tells_power = self.tells_power or sample.power_w is not None
        power_w = sample.power_w
        if not self.tells_power and sample.currents is not None:
            power_w = sample.currents.power_w(self.volts, self.phases)
            if self.fuse_w and abs(power_w) > self.fuse_w * BY_FAR + 100:
                power_w = None  # an estimate by the wrong volts or phases makes no reading untrue
        if power_w is not None and self.fuse_w and abs(power_w) > self.fuse_w * BY_FAR + 100:
            self.doubt = f"power is at most {self.fuse_w} W by its fuse, was {power_w} W"
            return
        at_s, self.sampled_s = believed(sample.at_s, now_s), min(self.sampled_s, now_s + AHEAD_S)
        newer = sample.asked or at_s >= self.sampled_s
        before_wh = self.imported.total_wh, self.exported.total_wh
        for name, counter, wh in (
            ("import", self.imported, sample.import_wh),
            ("export", self.exported, sample.export_wh),
        ):
            if wh is None:
                continue
            unheard = self.unheard and name == "import"
            doubt = counter.take(wh, at_s, now_s, self.fuse_w, reset=name in self.reset, unheard=unheard)
            if doubt:
                self.doubt = f"{name}: {doubt}"
                return
            if newer:
                self.reset.discard(name)
                self.unheard = self.unheard and name != "import"
        if newer or (self.imported.total_wh, self.exported.total_wh) != before_wh:
            self.doubt = ""
            self.sampled_s, self.heard_s = at_s, max(self.heard_s or 0, now_s - kept_s)
            if power_w is not None:
                self.power_w = power_w
            if sample.level_ppm is not None:
                self.level_ppm = sample.level_ppm
            if sample.frequency_mhz is not None:
                self.frequency_mhz = sample.frequency_mhz

    def _kept_back_s(self, sample: Sample, now_s: int) -> int:
        """Return for how long a sample was on its way, whatever the station's clock shows.

        Its clock is not believed, but that it goes: what comes later after its own time than the promptest one did was
        kept back, by a station that was offline. What we asked for was not, and samples that follow each other as
        their times do are told live: then it is the clock that was set.
        """
        behind_s = now_s - sample.at_s
        if self.behind_s is None or sample.asked or behind_s < self.behind_s:
            self.behind_s = behind_s
        elif self.told_s is not None and now_s - self.told_s >= LIVE_S:
            moved_s = behind_s - (self.told_s - self.told_at_s)
            if abs(moved_s) * 2 < now_s - self.told_s:
                self.behind_s = behind_s
        kept_s = behind_s - self.behind_s
        return kept_s if kept_s > PROMPT_S else 0
