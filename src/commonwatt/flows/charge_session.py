"""The story of a charging session: a car and a station, each with its own key, go through it without anybody's help.

`ChargeSession.advance` looks at where the session stands in the log, asks the car or the station what only they know,
and sends what comes next. It remembers nothing itself: whoever is killed between two steps, or after
a step that nobody heard the answer of, goes on from the log.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from commonwatt.flows.desk import Desk
from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook import session_bodies as bodies
from commonwatt.flows.rulebook.sessions import Session, in_order
from commonwatt.flows.sequence import Sequencer, replay
from commonwatt.identity.keys import SigningKey
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import SLOT_SECONDS, AccountId, Kind, Outcome, Refused
from commonwatt.settlement.charging import Receipt


class Car(Protocol):
    """A car, or the phone of whoever drives it."""

    def wish(self, now_s: int) -> bodies.Authorise | None:
        """Return what it would like to charge, while it stands at the station; None where it wants nothing (more)."""

    def leaves(self, energy_wh: int, now_s: int) -> bool:
        """Tell whether it has enough or has to go, having been told how much has flowed: its running receipt."""


class ChargePoint(Protocol):
    """A station's hardware, with its register. Each ask has the session's name; asking twice is asking once."""

    def begin(self, session: str, now_s: int) -> int | None:
        """Deliver from now on, and return what the register shows, in Wh; None while no car is plugged in."""

    def count(self, session: str, now_s: int) -> int | None:
        """Return how much has flowed in a session, in Wh; None while the point cannot be reached."""

    def end(self, session: str, now_s: int) -> tuple[int, int] | None:
        """Deliver no more, and return what the register showed at start and end, in Wh; None while out of reach."""


@dataclass(frozen=True, slots=True)
class Party:
    """Who signs, and for which account."""

    key: SigningKey
    account: AccountId


class Step(StrEnum):
    """What was done, or what is waited for."""

    IDLE = "idle"
    AUTHORISED = "authorised"
    REFUSED = "refused"
    STARTED = "started"
    COUNTED = "counted"
    STOPPED = "stopped"
    METERED = "metered"
    UNREACHED = "unreached"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeSession:
    """One car at one station.

    Args:
        car: Signs for the one who pays.
        station: Signs for the one who is paid.
        gateway: Signs what the station's register shows.
        driver: What the car decides.
        point: What the station's hardware tells and does.
    """

    car: Party
    station: Party
    gateway: Party
    driver: Car
    point: ChargePoint

    def advance(self, sequencer: Sequencer, now_s: int) -> Step:
        """Do what comes next, and say what it was; called again and again, in intervals of minutes at most."""
        state = sequencer.state
        one = self._open(state)
        if one is None:
            wish = self.driver.wish(now_s)
            if wish is None:
                return Step.IDLE
            return self._say(sequencer, now_s, Step.AUTHORISED, (self.car, wish))
        if one.started_s is None:
            shown_wh = self.point.begin(one.id, now_s)
            if shown_wh is None:
                return Step.UNREACHED
            body = bodies.Start(session=one.id, register_wh=shown_wh)
            step = self._say(sequencer, now_s, Step.STARTED, (self.station, body))
            if step is Step.REFUSED:
                self.point.end(one.id, now_s)  # nobody pays for what flows without a session
            return step
        if one.stopped_s is None and now_s < one.due_s:
            return self._deliver(sequencer, one, now_s)
        shown = self.point.end(one.id, now_s)
        if shown is None:
            return Step.UNREACHED
        told = bodies.Metered(session=one.id, start_wh=shown[0], end_wh=shown[1])
        return self._say(sequencer, now_s, Step.METERED, (self.gateway, told))

    def _deliver(self, sequencer: Sequencer, one: Session, now_s: int) -> Step:
        energy_wh = self.point.count(one.id, now_s)
        if energy_wh is None:
            return Step.UNREACHED
        counted = bodies.Progress(session=one.id, counts=(bodies.Count(at_s=now_s, energy_wh=energy_wh),))
        if self.driver.leaves(energy_wh, now_s):
            self.point.end(one.id, now_s)  # nothing flows any more, whatever becomes of the word
            stop = bodies.Stop(session=one.id)
            return self._say(sequencer, now_s, Step.STOPPED, (self.station, counted), (self.car, stop))
        if energy_wh >= affordable_wh(sequencer.state, one, now_s):
            self.point.end(one.id, now_s)
            stop = bodies.Stop(session=one.id, energy_wh=energy_wh)
            return self._say(sequencer, now_s, Step.STOPPED, (self.station, stop))
        if now_s <= one.counted_s:
            return Step.IDLE
        return self._say(sequencer, now_s, Step.COUNTED, (self.station, counted))

    def _open(self, state: State) -> Session | None:
        """Return the car's session here whose meter has not spoken, the first of them."""
        here = in_order(one for one in state.charging.of(self.car.account) if one.station == self.station.account)
        return next((one for one in here if one.metered is None), None)

    @staticmethod
    def _say(sequencer: Sequencer, now_s: int, step: Step, *said: tuple[Party, Struct]) -> Step:
        """Send words together; the last is the step itself, and may be taken where one before it is not."""
        desk = Desk(sequencer.state)
        for who, body in said:
            desk.write(who.key, who.account, Kind.SESSION, body)
        return step if sequencer.submit(desk.wires, now_s)[-1] is Outcome.BOOKED else Step.REFUSED


def affordable_wh(state: State, one: Session, now_s: int) -> int:
    """Return how much a session may deliver before the car's limits end it, in Wh: where the station stops.

    By the highest import price of its slots so far, since nobody trades above it; a price that rises afterwards, or one
    that is not known yet, is the station's risk.
    """
    assert one.started_s is not None
    slots = range(one.started_s // SLOT_SECONDS * SLOT_SECONDS, now_s + 1, SLOT_SECONDS)
    price = max(0, *(state.prices.get(slot_s, (0, 0))[0] for slot_s in slots), 0) + one.fee.micro_per_kwh
    left_micro = one.most_micro - one.fee.micro_per_session
    return min(one.most_wh, max(0, left_micro) * 1000 // price) if price else one.most_wh


def receipt(rows: Iterable[LeafRow], community: str, session: str) -> Receipt:
    """Return a session's receipt from a log that is run again, so that nobody has to be believed.

    Args:
        rows: All leaves.
        community: Whose log it is.
        session: Its name: where its authorisation stands.

    Raises:
        Refused: No session of that name was settled yet.
        Corrupt: The log contradicts itself.
    """
    known = replay(rows, community, keep=True).state.charging
    found = (known.receipts or {}).get(session)
    if found is None:
        open_one = known.sessions.get(session)
        raise Refused(
            "a receipt is of a session that was settled",
            session=session,
            found="open" if open_one else "none of that name with energy to settle",
        )
    return found
