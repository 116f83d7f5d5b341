"""A street's day on paper, cut short and watched: what was planned, commanded and heard, beside what was logged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import pytest

from commonwatt.apps.scenes import Scene, scene
from commonwatt.apps.wiring import paper_day
from commonwatt.flexibility.problem import Plan, Problem
from commonwatt.flows import trading_day
from commonwatt.flows.constraint_to_command import Outlook, plan_ahead
from commonwatt.flows.ports import Gateways, Heard
from commonwatt.flows.rulebook import State
from commonwatt.flows.sequence import replay
from commonwatt.flows.trading_day import Day
from commonwatt.ledger.leaf import LeafRow
from commonwatt.metering.batch import decode_items
from commonwatt.model import SLOT_SECONDS, AssetId, Command, Entry, GatewayId, Kind, Outcome, epoch
from commonwatt.simulator.box import Fault

FOLDER = Path(__file__).parents[2] / "examples" / "street"


def stage(homes: int = 10, starts: str = "05:00", seed: str = "stories") -> Scene:
    """Return the example street with its first homes only, from another hour on."""
    told = scene(FOLDER)
    return Scene(replace(told.street, home=told.street.home[:homes], starts=starts, seed=seed), told.recorded)


@dataclass
class Watch:
    """Stands between a day and its gateways and plans, and writes down what goes by."""

    gateways: Gateways
    plans: dict[int, tuple[Plan, Problem, Outlook]] = field(default_factory=dict)
    commands: dict[int, dict[AssetId, Command]] = field(default_factory=dict)
    heard: dict[int, dict[GatewayId, tuple[bytes, ...]]] = field(default_factory=dict)

    def keys(self) -> Mapping[GatewayId, bytes]:
        return self.gateways.keys()

    def live(self, slot_s: int, commands: Mapping[AssetId, Command]) -> list[Heard]:
        self.commands[slot_s] = dict(commands)
        heard = self.gateways.live(slot_s, commands)
        self.heard[slot_s] = {one.gateway: one.requests for one in heard}
        return heard

    def plan(self, known: Outlook) -> tuple[Plan, Problem]:
        plan, problem = plan_ahead(known)
        self.plans[epoch(known.now)] = plan, problem, known
        return plan, problem


@dataclass(frozen=True)
class Lived:
    """Some slots of a day, by their number from its start."""

    scene: Scene
    day: Day
    watch: Watch
    slots: int

    @property
    def state(self) -> State:
        return self.day.sequencer.state

    @property
    def roots(self) -> tuple[bytes, bytes]:
        return self.day.sequencer.tree.root(), self.state.root()

    @cached_property
    def entries(self) -> list[Entry]:
        """All entries, from a replay that keeps them and must reach the roots that were lived."""
        found = replay(self.rows, self.state.community, keep=True)
        assert (found.tree.root(), found.state.root()) == self.roots
        return found.state.entries

    @property
    def rows(self) -> list[LeafRow]:
        return list(self.day.sequencer._store.rows())

    def at(self, slot: int) -> int:
        """Return the start of a slot."""
        return epoch(self.day.terms.span.start) + slot * SLOT_SECONDS

    def logged(self, kind: Kind) -> list[tuple[int, Outcome, dict[str, Any]]]:
        """Return time, outcome and body of all logged requests of a kind."""
        requests = [(row, msgspec.json.decode(row.body)) for row in self.rows]
        return [(row.stamped_s, row.outcome, told["body"]) for row, told in requests if told["kind"] == kind]

    def read(self, gateway: str) -> list[tuple[int, Outcome, int]]:
        """Return time, outcome and slot of all batches of readings that a gateway signed, each of one slot."""
        batches = [row for row in self.rows if row.items and row.owner == gateway]
        slots = [{item.start_s for item in decode_items(row.items)} for row in batches]
        return [(row.stamped_s, row.outcome, slot_s) for row, (slot_s,) in zip(batches, slots, strict=True)]

    def scheduled(self, asset: str) -> list[int]:
        """Return the numbers of the slots in which an asset got a schedule that came into force."""
        bodies = [body for _, outcome, body in self.logged(Kind.SCHEDULE) if outcome is Outcome.BOOKED]
        return [(body["issued_s"] - self.at(0)) // SLOT_SECONDS for body in bodies if body["asset"] == asset]

    def acks(self, asset: str) -> dict[int, dict[str, Any]]:
        """Return an asset's answers by slot number."""
        return {
            (body["slot_s"] - self.at(0)) // SLOT_SECONDS: item
            for _, _, body in self.logged(Kind.ACK)
            for item in body["acks"]
            if item["asset"] == asset
        }


def live(scene: Scene, slots: int, faults: Sequence[Fault] = (), *, v2g: bool = True) -> Lived:
    """Live through the first slots of a day."""
    day = paper_day(scene, faults=faults, v2g=v2g)
    watch = Watch(day.gateways)
    day.gateways = watch
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trading_day, "plan_ahead", watch.plan)
        for _ in zip(range(slots), day.run(), strict=False):
            pass
    return Lived(scene, day, watch, slots)
