"""The tiny community with a charge point operator, two stations, two cars, and a pen for their sessions."""

from typing import Any

from community import NOON, Community, Flow
from purse import Purse

from commonwatt.flows.rulebook import session_bodies as bodies
from commonwatt.flows.rulebook.sessions import Session
from commonwatt.flows.rulebook.snapshot import dump, load
from commonwatt.flows.sequence import replay
from commonwatt.ledger.merkle import HASH_BYTES
from commonwatt.model import MICRO, SLOT_SECONDS, AssetKind, Kind, Outcome
from commonwatt.settlement.charging import Receipt

PER_KWH, PER_SESSION = 50_000, 200_000
"""The station's own fee, micro."""
MONEY = 5 * MICRO
STATION, OWNER, METER, GATEWAY = "pole", "volta", "volta-point", "gw-volta"
REGISTER_WH = 40_000


class Sockets(Purse):
    """``volta`` owns a meter through which ``pole`` sells; ``car`` and the guest ``roamer`` have money."""

    def __init__(self, homes: int = 1, *, terms: dict[str, Any] | None = None, **more: Any) -> None:
        super().__init__(homes, terms=terms or {}, **more)
        self.register_wh = REGISTER_WH
        founded = [
            self.register_key(OWNER, "member", OWNER),
            self.register_gateway(GATEWAY),
            self.claim(OWNER, METER, AssetKind.CONNECTION),
            self.register_key(STATION, "station", STATION),
            self.register_key("car", "car", "car"),
            self.register_key("roamer", "car", "roamer"),
            self.pay("car", MONEY, "first car"),
            self.pay("roamer", MONEY, "first roamer"),
            self.say(OWNER, bodies.Equip(meter=METER, station=STATION)),
            self.tariff(),
        ]
        assert set(founded) == {Outcome.BOOKED}, founded

    def say(self, who: str, body: bodies.SessionBody) -> Outcome:
        return self.ask(who, Kind.SESSION, body, None if who != GATEWAY else GATEWAY)

    def tariff(self, who: str = STATION, meter: str = METER, **more: int) -> Outcome:
        terms = {"fee_micro_per_kwh": PER_KWH, "fee_micro_per_session": PER_SESSION, "valid_from_s": self.now_s} | more
        return self.say(who, bodies.Tariff(meter=meter, **terms))

    def authorise(self, who: str = "car", **more: Any) -> tuple[str, Outcome]:
        """Return the session's name, and the outcome."""
        terms: dict[str, Any] = {
            "station": STATION,
            "most_energy_wh": 20_000,
            "most_micro": 4 * MICRO,
            "until_s": self.now_s + 4 * 3600,
        }
        name = str(len(self.sequencer.tree))
        return name, self.say(who, bodies.Authorise(**(terms | more)))

    def start(self, name: str, who: str = STATION, register_wh: int | None = None) -> Outcome:
        shown_wh = self.register_wh if register_wh is None else register_wh
        return self.say(who, bodies.Start(session=name, register_wh=shown_wh))

    def count(self, name: str, *counts: tuple[int, int], who: str = STATION) -> Outcome:
        told = tuple(bodies.Count(at_s=at_s, energy_wh=wh) for at_s, wh in counts)
        return self.say(who, bodies.Progress(session=name, counts=told))

    def stop(self, name: str, who: str = STATION, energy_wh: int | None = None) -> Outcome:
        return self.say(who, bodies.Stop(session=name, energy_wh=energy_wh))

    def meter(self, name: str, energy_wh: int, start_wh: int | None = None, who: str = GATEWAY) -> Outcome:
        """Let the gateway tell what flowed in a session, and the register move on."""
        start_wh = self.register_wh if start_wh is None else start_wh
        self.register_wh = max(self.register_wh, start_wh + energy_wh)
        return self.say(who, bodies.Metered(session=name, start_wh=start_wh, end_wh=start_wh + energy_wh))

    def pass_slot(self, charged_wh: int = 0, **flows: Flow) -> int:
        """Let the slot pass: homes, the station's meter and the feeder report. Return the slot's start."""
        slot_s = self.slot_s
        self.now_s = slot_s + SLOT_SECONDS
        wires = [self.reading(f"gw-{m}", slot_s, self.home(m, flows.get(m, Flow()))) for m in self.members]
        wires.append(self.reading(GATEWAY, slot_s, {METER: (charged_wh, 0)}))
        net_wh = charged_wh + sum(flow.net_wh for flow in flows.values())
        wires.append(self.reading("gw-feeder", slot_s, self.feeder(net_wh)))
        assert set(self.sequencer.submit(wires, self.now_s)) == {Outcome.BOOKED}
        return slot_s

    def wait(self, seconds: int) -> None:
        """Let time pass; a request that changes nothing lets what has come due come true."""
        self.now_s += seconds
        self.agree("anna", "anna-battery")

    def session(self, name: str) -> Session | None:
        return self.state.charging.sessions.get(name)

    def receipt(self, name: str) -> Receipt:
        """Return a session's receipt, from the log alone."""
        found = replay(self.rows(), self.state.community, keep=True)
        assert found.state.root() == self.state.root()
        assert found.state.charging.receipts is not None
        return found.state.charging.receipts[name]

    def check(self) -> None:
        """Replay from zero and a snapshot reach the same root."""
        root = self.state.root()
        assert replay(self.store.rows(), self.state.community).state.root() == root
        assert load(dump(self.state, self.now_s, bytes(HASH_BYTES)))[0].root() == root

    def reserved(self, account: str) -> int:
        return sum(t.amount for t in self.state.wallets.transfers.items() if t.source == account)


def charged(community: Sockets, energy_wh: int = 2_000, who: str = "car", **more: Any) -> str:
    """Let a session begin with its slot, run for ten minutes and end, counted by its meter."""
    name, outcome = community.authorise(who, **more)
    assert outcome is Outcome.BOOKED, outcome
    assert community.start(name) is Outcome.BOOKED
    community.now_s += 300
    assert community.count(name, (community.now_s, energy_wh // 2)) is Outcome.BOOKED
    community.now_s += 300
    assert community.stop(name, energy_wh=energy_wh) is Outcome.BOOKED
    assert community.meter(name, energy_wh) is Outcome.BOOKED
    return name


__all__ = ["NOON", "Community", "Sockets", "charged"]
