"""What storage owes the operator per kWh, and who holds a licence that waives it."""

import pytest
from community import NAME, NOON, Community, Flow
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.flows.rulebook import bodies, snapshot
from commonwatt.flows.rulebook.charging import licence_bodies
from commonwatt.flows.rulebook.charging.licences import Licences
from commonwatt.flows.rulebook.charging.operating import BOUGHT, CORRECTED, MONTH_S, OWED
from commonwatt.flows.sequence import replay
from commonwatt.metering.batch import Flag
from commonwatt.model import MICRO, SLOT_SECONDS, AssetKind, Kind, Outcome, cost_micro

CHARGED, DISCHARGED, LICENCE = 10_001, 20_003, 1 * MICRO
"""Micro per kWh, per kWh, and per month."""


class Operated(Community):
    """A community whose charter tells the operator's rates: its founding is written anew with them."""

    def ask(self, who: str, kind: Kind, body: object, account: str | None = None) -> Outcome:
        if isinstance(body, bodies.RegisterCommunity):
            told = bodies.write_body(body) | {
                "operator_micro_per_kwh_charged": CHARGED,
                "operator_micro_per_kwh_discharged": DISCHARGED,
                "licence_micro_per_month": LICENCE,
            }
            return self.send(self.wire(who, kind, told))
        return super().ask(who, kind, body, account)

    def licence(self, account: str, from_s: int, until_s: int, by: str = "operator") -> Outcome:
        return self.ask(by, Kind.REGISTER, licence_bodies.Licence(account=account, from_s=from_s, until_s=until_s))

    def buy(self, member: str, months: int = 1) -> Outcome:
        return self.ask(member, Kind.REGISTER, licence_bodies.BuyLicence(months=months))

    def waived(self) -> list[tuple[str, int]]:
        found = replay(self.rows(), NAME, keep=True)
        assert found.state.root() == self.roots().state
        return [(waived.owner, waived.micro) for waived in found.state.licences.waived or []]


def owed(charged_wh: int, discharged_wh: int) -> int:
    return cost_micro(charged_wh, CHARGED) + cost_micro(discharged_wh, DISCHARGED)


@pytest.mark.row("W7")
def test_an_owner_owes_for_each_kilowatt_hour_that_storage_takes_and_gives() -> None:
    community = Operated()
    community.live(anna=Flow(charge_wh=3_333), ben=Flow(load_wh=500))
    community.live(anna=Flow(discharge_wh=777))
    assert community.entries(OWED) == [("anna", "operator", owed(3_333, 0)), ("anna", "operator", owed(0, 777))]
    assert community.ergon("operator") == 33_333 + 15_542


@pytest.mark.row("W7")
def test_a_community_without_rates_owes_its_operator_nothing() -> None:
    community = Community()
    community.live(anna=Flow(charge_wh=3_000))
    assert not community.entries(OWED)


@pytest.mark.row("W7")
def test_a_vehicle_is_storage_too() -> None:
    community = Operated()
    assert community.claim("anna", "anna-car", AssetKind.VEHICLE, capacity_wh=50_000) is Outcome.BOOKED
    slot_s = community.slot_s
    community.now_s += SLOT_SECONDS
    told = community.home("anna", Flow()) | {"anna-home": (2_000, 0), "anna-car": (2_000, 0, 30_000)}
    community.send(community.reading("gw-anna", slot_s, told))
    community.send(community.reading("gw-ben", slot_s, community.home("ben", Flow())))
    community.send(community.reading("gw-feeder", slot_s, community.feeder(2_000)))
    assert community.entries(OWED) == [("anna", "operator", owed(2_000, 0))]


@pytest.mark.row("W7")
def test_a_late_and_a_corrected_reading_book_the_difference_of_the_whole() -> None:
    community = Operated()
    told = community.home("anna", Flow(charge_wh=3_333))
    slot_s = community.live(silent=["anna"])
    community.now_s += 2 * SLOT_SECONDS
    community.live(silent=["anna"])
    assert community.state.settled_to_s > slot_s
    assert not community.entries(OWED)
    assert community.send(community.reading("gw-anna", slot_s, told)) is Outcome.BOOKED
    assert community.entries(CORRECTED) == [("anna", "operator", owed(3_333, 0))]
    less = community.report("gw-anna", slot_s, {"anna-battery": (3_000, 0, 2_999)}, flags=Flag.CORRECTS)
    assert less is Outcome.BOOKED
    assert community.entries(CORRECTED)[1:] == [("operator", "anna", owed(3_333, 0) - owed(3_000, 0))]
    assert community.ergon("operator") == owed(3_000, 0)


@pytest.mark.row("W7")
def test_a_licence_waives_what_its_slots_owe_late_readings_too() -> None:
    community = Operated()
    assert community.licence("anna", NOON, NOON + SLOT_SECONDS) is Outcome.BOOKED
    told = community.home("anna", Flow(charge_wh=1_000))
    slot_s = community.live(silent=["anna"], ben=Flow(charge_wh=1_000))
    community.now_s += 3 * SLOT_SECONDS
    assert community.send(community.reading("gw-anna", slot_s, told)) is Outcome.BOOKED
    community.live(anna=Flow(charge_wh=1_000))
    for _ in range(2):
        community.live()
    assert community.waived() == [("anna", owed(1_000, 0))]
    assert [source for source, _, _ in community.entries(OWED)] == ["ben", "anna"]


@pytest.mark.row("W7")
def test_a_member_buys_months_that_begin_at_once_and_come_on_top() -> None:
    community = Operated(prepaid_micro=3 * MICRO)
    community.now_s = NOON + 100
    assert community.buy("anna", 4) is Outcome.NOT_BACKED
    assert community.buy("anna") is Outcome.BOOKED
    assert community.buy("anna") is Outcome.BOOKED
    assert community.state.licences.spans == {"anna": [(NOON, NOON + 2 * MONTH_S)]}
    assert community.entries(BOUGHT) == [("anna", "operator", LICENCE)] * 2
    community.live(anna=Flow(charge_wh=1_000))
    assert community.waived() == [("anna", owed(1_000, 0))]


@pytest.mark.row("W7")
def test_who_grants_a_licence_to_whom_and_from_when() -> None:
    community = Operated()
    ends_s = NOON + MONTH_S
    assert community.licence("anna", NOON, ends_s, by="anna") is Outcome.NOT_ALLOWED
    assert community.licence("nobody", NOON, ends_s) is Outcome.UNKNOWN_THING
    assert community.licence("anna", NOON - 1, ends_s) is Outcome.TOO_LATE
    assert community.licence("anna", NOON, NOON) is Outcome.OVER_LIMIT
    assert community.licence("anna", NOON, NOON + 3_661 * 86_400) is Outcome.OVER_LIMIT
    assert community.buy("operator") is Outcome.NOT_ALLOWED
    assert Community().ask("anna", Kind.REGISTER, licence_bodies.BuyLicence(months=1)) is Outcome.NOT_ALLOWED
    apart = [community.licence("anna", NOON + n * 9_000, NOON + n * 9_000 + 900) for n in range(9)]
    assert apart == [Outcome.BOOKED] * 8 + [Outcome.OVER_LIMIT]


@pytest.mark.row("W7")
def test_licences_are_in_the_root_and_in_the_snapshot_until_they_matter_no_more() -> None:
    community = Operated(correction_slots=1)
    before = community.state.root()
    community.licence("anna", NOON, NOON + 900)
    assert community.state.root() != before
    state, _ = snapshot.load(snapshot.dump(community.state, community.now_s, b"\0" * 32))
    assert state.licences == community.state.licences
    for _ in range(3):
        community.live()
    assert not community.state.licences.spans
    assert community.waived() == []


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=8), st.integers(0, 30), st.integers(1, 9))
def test_months_that_are_bought_are_as_many_slots_as_were_paid_for(
    granted: list[tuple[int, int]], now: int, lasts: int
) -> None:
    licences = Licences()
    for begin, length in granted:
        licences.grant("anna", begin, begin + length)
    covered = {slot for slot in range(99) if licences.holds("anna", slot)}
    assert covered == {slot for begin, length in granted for slot in range(begin, begin + length)}
    assert licences.grant("anna", now, licences.extended("anna", now, lasts))
    after = {slot for slot in range(99) if licences.holds("anna", slot)}
    assert len(after - covered) == lasts
    assert covered <= after
    assert all(licences.holds("anna", slot) for slot in range(now, min(after - covered)))


@pytest.mark.row("W7")
@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2_000), st.integers(0, 500), st.booleans(), st.booleans()), min_size=1, max_size=6
    )
)
def test_what_is_owed_and_waived_is_what_every_believed_reading_comes_to(
    slots: list[tuple[int, int, bool, bool]],
) -> None:
    """The oracle sums readings as they are believed in the end, whether they came in time or late."""
    community = Operated(1)
    expected = waived = 0
    held_back = []
    for charge_wh, discharge_wh, in_time, licensed in slots:
        flow = Flow(charge_wh=charge_wh, discharge_wh=min(discharge_wh, community.levels_wh["anna"] * 8 // 10))
        if licensed:
            community.licence("anna", community.slot_s, community.slot_s + SLOT_SECONDS)
            waived += owed(flow.charge_wh, flow.discharge_wh)
        else:
            expected += owed(flow.charge_wh, flow.discharge_wh)
        told, slot_s = community.home("anna", flow), community.slot_s
        if in_time:
            wires = [community.reading("gw-anna", slot_s, told)]
            community.now_s += SLOT_SECONDS
            wires.append(community.reading("gw-feeder", slot_s, community.feeder(flow.net_wh)))
            assert {*community.sequencer.submit(wires, community.now_s)} == {Outcome.BOOKED}
        else:
            held_back.append((slot_s, told))
            community.now_s += SLOT_SECONDS
    community.now_s += 4 * SLOT_SECONDS
    community.live()
    for slot_s, told in held_back:
        assert community.send(community.reading("gw-anna", slot_s, told)) is Outcome.BOOKED
    assert community.ergon("operator") == expected
    assert sum(micro for _, micro in community.waived()) == waived
