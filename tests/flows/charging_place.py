"""A tiny community with a charge point at its plaza, and cars that come by."""

from community import NAME, Community, Flow

from commonwatt.flows.rulebook.charging import session_bodies
from commonwatt.flows.rulebook.charging.sessions import ChargingSession, Receipt
from commonwatt.flows.sequence import replay
from commonwatt.model import MICRO, SLOT_SECONDS, AssetKind, Kind, Outcome

STATION, POST, POINT, GATEWAY = "plaza", "plaza-post", "plaza-point", "gw-plaza"
FEE, START_FEE = 50_000, 200_000
"""What the station asks for its service: micro per kWh, and per session."""
REGISTER_WH = 1_000_000
AUTHORISED_WH, AUTHORISED_MICRO = 20_000, 8 * MICRO


class Plaza(Community):
    """Two homes and a station; the car `zoe` is a member's, `guest` is roaming. Both have ERGON."""

    def __init__(self, homes: int = 2, *, guest_micro: int = 10 * MICRO, **options: int) -> None:
        super().__init__(homes, **options)
        paid = [("zoe", 10 * MICRO), *([("guest", guest_micro)] if guest_micro else [])]
        founded = [
            self.register_key(STATION, "member", STATION),
            self.register_key(POST, "station", STATION),
            self.register_gateway(GATEWAY),
            self.claim(STATION, POINT, AssetKind.CONNECTION, max_import_w=400_000),
            *(self.register_key(car, "car", car) for car in ("zoe", "guest")),
            *(self.pay(car, micro, f"first {car}") for car, micro in paid),
            self.tariff(),
        ]
        assert set(founded) == {Outcome.BOOKED}
        self.register_wh = REGISTER_WH

    def claim(self, who: str, asset: str, kind: AssetKind, **limits: int | str) -> Outcome:
        """Claim an asset; the feeder is as wide as the station needs."""
        wide = {"max_import_w": 400_000} if asset == "feeder" else {}
        return super().claim(who, asset, kind, **(wide | limits))

    def tariff(
        self, from_s: int | None = None, fee: int = FEE, start_fee: int = START_FEE, meter: str = POINT
    ) -> Outcome:
        body = session_bodies.Tariff(
            meter=meter, from_s=self.now_s if from_s is None else from_s, micro_per_kwh=fee, micro_per_session=start_fee
        )
        return self.ask(POST, Kind.SESSION, body, account=STATION)

    def authorise(
        self,
        car: str = "zoe",
        wh: int = AUTHORISED_WH,
        micro: int = AUTHORISED_MICRO,
        lasts_s: int = 4 * 3600,
        source: str = "any",
    ) -> Outcome:
        body = session_bodies.Authorise(
            station=STATION, most_wh=wh, most_micro=micro, until_s=self.now_s + lasts_s, source=source
        )
        return self.ask(car, Kind.SESSION, body)

    def authorised(self, car: str = "zoe", **wishes: int) -> str:
        """Authorise, and return the session's name."""
        assert self.authorise(car, **wishes) is Outcome.BOOKED
        return list(self.state.sessions.standing)[-1]

    def start(self, session: str, register_wh: int | None = None) -> Outcome:
        register_wh = self.register_wh if register_wh is None else register_wh
        return self.ask(POST, Kind.SESSION, session_bodies.Start(session=session, register_wh=register_wh), STATION)

    def count(self, session: str, *counts: tuple[int, int], by: str = POST) -> Outcome:
        """Count Wh at moments, given as seconds before now."""
        items = tuple(session_bodies.CountItem(at_s=self.now_s - ago_s, energy_wh=wh) for ago_s, wh in counts)
        account = STATION if by == POST else by
        return self.ask(by, Kind.SESSION, session_bodies.Progress(session=session, counts=items), account)

    def stop(self, session: str, by: str = POST) -> Outcome:
        account = STATION if by == POST else by
        return self.ask(by, Kind.SESSION, session_bodies.Stop(session=session), account)

    def meter(self, session: str, wh: int, began_wh: int | None = None, by: str = GATEWAY) -> Outcome:
        """Let the gateway read the register; it moves on where it is believed."""
        began_wh = self.register_wh if began_wh is None else began_wh
        body = session_bodies.Metered(session=session, began_wh=began_wh, ended_wh=began_wh + wh)
        outcome = self.ask(by, Kind.SESSION, body, STATION if by == POST else by)
        if outcome is Outcome.BOOKED:
            self.register_wh = began_wh + wh
        return outcome

    def pass_slot(self, charged_wh: int = 0, **flows: Flow) -> int:
        """Let the slot pass; all meters tell what they saw, the station's too. Return the slot's start."""
        slot_s = self.slot_s
        self.now_s = slot_s + SLOT_SECONDS
        net_wh = charged_wh + sum(flow.net_wh for flow in flows.values())
        told = {member: self.home(member, flows.get(member, Flow())) for member in self.members}
        wires = [self.reading(f"gw-{member}", slot_s, readings) for member, readings in told.items()]
        wires.append(self.reading(GATEWAY, slot_s, {POINT: (charged_wh, 0)}))
        wires.append(self.reading("gw-feeder", slot_s, self.feeder(net_wh)))
        assert {*self.sequencer.submit(wires, self.now_s)} == {Outcome.BOOKED}
        return slot_s

    def standing(self, session: str) -> ChargingSession:
        return self.state.sessions.standing[session]

    def reserved(self, car: str = "zoe") -> int:
        return sum(t.amount for t in self.state.wallets.transfers.items() if t.source == car)

    def receipts(self) -> list[Receipt]:
        """Return the receipts of closed sessions, from a replay that keeps them and reaches the same roots."""
        found = replay(self.rows(), NAME, keep=True)
        assert (found.tree.root(), found.state.root()) == (self.roots().log, self.roots().state)
        return found.state.sessions.receipts or []

    def receipt(self, session: str) -> Receipt:
        (found,) = [receipt for receipt in self.receipts() if receipt.session.id == session]
        return found
