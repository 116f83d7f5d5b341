"""Life at the site: cars come, are told powers, fill up and leave; the physics that every controller is judged by."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from benchmarks.workplace.controller import DONE_KWH, LEAST_KW, Car, Drivers, Planner, signals
from benchmarks.workplace.foresight import Charged
from benchmarks.workplace.sessions import SLOT_S, Session, local

Floats = NDArray[np.float64]
ARRIVE, LEAVE, EDGE = 2, 0, 1
FRESH_SLOTS = 4
"""A plan that nothing has changed is still made again after so many slots."""
HORIZON_SLOTS = 4 * 48


@dataclass(slots=True)
class Site:
    """A site that is lived through once; see `live`.

    Args:
        planner: Decides.
        drivers: What is known of drivers; learns as days go by.
        cars: Those that are there.
        told: The power that each of them is told, kW.
        kwh: Charged per session.
        usd: Likewise.
        site_kwh: Charged per slot.
        highest_kw: The highest sum of powers told at any instant.
    """

    planner: Planner
    drivers: Drivers
    cars: dict[str, Car] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=dict)
    kwh: dict[str, float] = field(default_factory=dict)
    usd: dict[str, float] = field(default_factory=dict)
    site_kwh: dict[int, float] = field(default_factory=dict)
    highest_kw: float = 0.0
    _plan: dict[str, Floats] = field(default_factory=dict)
    _planned: int = 0
    _stale: bool = True

    def live(self, sessions: Sequence[Session]) -> Charged:
        """Live through sessions in order of arrival; the controller is told of each only what its driver said.

        It plans at every plug-in, and at a slot's edge where a car has left since, a signal was rounded, a stated
        departure has passed, or the plan is an hour old; otherwise it follows the plan that it has.
        """
        queue = [(s.arrive_s, ARRIVE, s.id) for s in sessions] + [(s.leave_s, LEAVE, s.id) for s in sessions]
        heapq.heapify(queue)
        by_id = {s.id: s for s in sessions}
        gone: list[Session] = []
        now, edge, today = 0, 0, date.min
        while queue:
            at, what, who = heapq.heappop(queue)
            self._flow(now, at)
            now = at
            if what == ARRIVE:
                session = by_id[who]
                if (day := local(at).date()) != today:
                    self.drivers.learn([s for s in gone if local(s.leave_s).date() < day])
                    gone, today = [s for s in gone if local(s.leave_s).date() >= day], day
                if edge <= at:
                    edge = (at // SLOT_S + 1) * SLOT_S
                    heapq.heappush(queue, (edge, EDGE, ""))
                self._plug(session)
                if queue[0][:2] != (at, ARRIVE):
                    self._replan(now)
            elif what == LEAVE:
                self._stale |= self.told.pop(who, 0.0) > 0 or self.cars[who].left_kwh > DONE_KWH
                del self.cars[who]
                gone.append(by_id[who])
            elif self.cars:
                edge = at + SLOT_S
                heapq.heappush(queue, (edge, EDGE, ""))
                self._edge(now)
        return Charged(self.kwh, self.usd, self.site_kwh)

    def _plug(self, session: Session) -> None:
        stays = self.drivers.stays(session.arrive_s, session.says_s, HORIZON_SLOTS)
        self.cars[session.id] = Car(
            id=session.id,
            arrive_s=session.arrive_s,
            says_s=session.says_s,
            left_kwh=session.need_kwh,
            most_kw=session.most_kw,
            least_kw=session.least_kw,
            stays=stays,
        )
        self.kwh[session.id] = self.usd[session.id] = 0.0

    def _edge(self, now: int) -> None:
        wanting = [car for car in self.cars.values() if car.left_kwh > DONE_KWH]
        if not wanting:
            self.told = {}
            return
        along = now // SLOT_S - self._planned
        ends = any(car.says_s // SLOT_S <= now // SLOT_S for car in wanting)
        if self._stale or ends or along >= FRESH_SLOTS:
            self._replan(now)
        else:
            self._tell({car.id: float(self._plan[car.id][along]) for car in wanting}, now)

    def _replan(self, now: int) -> None:
        self._plan = self.planner.plan(list(self.cars.values()), now)
        self._planned, self._stale = now // SLOT_S, False
        self._tell({name: float(kw[0]) for name, kw in self._plan.items()}, now)

    def _tell(self, wanted: dict[str, float], now: int) -> None:
        self.told = signals(
            list(self.cars.values()), wanted, self.planner.cap_kw, now, spare_tight=self.planner.spare_tight
        )
        self._stale |= any(kw > 0 and self.told[name] < kw - LEAST_KW for name, kw in wanted.items())
        self._stale |= any(self.told[name] > kw + LEAST_KW for name, kw in wanted.items())
        self.highest_kw = max(self.highest_kw, sum(self.told.values()))
        for name, kw in self.told.items():
            assert kw == 0.0 or self.cars[name].least_kw - LEAST_KW <= kw <= self.cars[name].most_kw + LEAST_KW

    def _flow(self, start: int, end: int) -> None:
        """Let power flow between two instants of one slot; a car that is full takes no more."""
        if end <= start or not self.told:
            return
        slot, total = start // SLOT_S, 0.0
        price = self.planner.price(slot)
        for name, kw in self.told.items():
            car = self.cars[name]
            kwh = min(kw * (end - start) / 3600, car.left_kwh)
            car.left_kwh -= kwh
            self.kwh[name] += kwh
            self.usd[name] += kwh * price
            total += kwh
        self.site_kwh[slot] = self.site_kwh.get(slot, 0.0) + total
