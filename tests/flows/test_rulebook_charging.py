"""Charging sessions through the real log: authorised, counted, paid; and all that can go wrong on the way."""

import pytest
from community import EXPORT, IMPORT, LIMIT_W, NOON, Flow, key
from sockets import (
    GATEWAY,
    METER,
    MONEY,
    OWNER,
    PER_KWH,
    PER_SESSION,
    REGISTER_WH,
    STATION,
    Sockets,
    charged,
)

from commonwatt.flows.rulebook import bodies, session_bodies, wallet_bodies
from commonwatt.flows.rulebook.charging import LONGEST_S, MOST_FEES, MOST_OPEN
from commonwatt.flows.rulebook.sessions import MOST_SILENT_S
from commonwatt.model import MICRO, SLOT_SECONDS, AssetKind, Commodity, Kind, Outcome, Side
from commonwatt.settlement.charging import Mix

SLOT = SLOT_SECONDS
GRACE_S = 2 * SLOT


def owed(energy_wh: int, price: int = IMPORT) -> int:
    return energy_wh * (price + PER_KWH) // 1000 + PER_SESSION


@pytest.mark.row("E9")
def test_a_car_charges_pays_by_itself_and_gets_a_receipt() -> None:
    community = Sockets()
    name = charged(community, 2_000)
    assert community.reserved("car") == 4 * MICRO
    assert community.ergon(STATION) == 0, "nothing is paid before the slot is settled"
    community.pass_slot(2_000)
    assert community.session(name) is None
    assert community.reserved("car") == 0, "what is not used is released"
    assert (community.ergon("car"), community.ergon(STATION)) == (MONEY - owed(2_000), owed(2_000))
    receipt = community.receipt(name)
    assert (receipt.energy_wh, receipt.streamed_wh, receipt.metered_wh) == (2_000, 2_000, 2_000)
    assert (receipt.paid_micro, receipt.fee_micro) == (owed(2_000), PER_SESSION + 2 * PER_KWH)
    assert (receipt.final, receipt.why, receipt.difference_wh) == (True, "station", 0)
    community.check()


@pytest.mark.row("E9")
def test_the_energy_is_counted_once_from_the_grid_to_the_station_and_on_to_the_car() -> None:
    community = Sockets()
    name = charged(community, 2_000)
    slot_s = community.pass_slot(2_000, anna=Flow(load_wh=300))
    assert community.moved(OWNER, Commodity.ENERGY, slot_s) == 0, "what it took it passed on"
    assert community.moved("car", Commodity.ENERGY, slot_s) == 2_000
    assert community.moved("grid", Commodity.ENERGY, slot_s) == -2_300
    assert community.moved("losses", Commodity.ENERGY, slot_s) == 0
    assert community.ergon(OWNER) == -2_000 * IMPORT // 1000, "its owner pays for energy like any member"
    assert all(community.state.accounts.total(commodity) == 0 for commodity in Commodity)
    booked = [entry for entry in community.booked() if entry.ref == name]
    receipt = community.receipt(name)
    paid = sum(entry.amount for entry in booked if entry.commodity is Commodity.ERGON)
    energy = sum(entry.amount for entry in booked if entry.commodity is Commodity.ENERGY)
    assert (paid, energy) == (receipt.paid_micro, receipt.energy_wh), "a receipt adds up to its entries"


@pytest.mark.row("E9")
def test_the_price_is_the_one_that_neighbours_traded_at() -> None:
    community = Sockets(2)
    community.order("anna", Side.BID, 200, 200_000, NOON)
    community.order("ben", Side.ASK, 200, 160_000, NOON)
    name = charged(community, 1_000)
    community.pass_slot(1_000, anna=Flow(load_wh=200), ben=Flow(solar_wh=200))
    (line,) = community.receipt(name).lines
    assert line.price_micro_per_kwh == 180_000
    assert community.ergon(STATION) == owed(1_000, 180_000)


@pytest.mark.row("E9")
def test_each_kwh_shows_its_source() -> None:
    """Stored energy is called by ben, neighbours' sun is traded and given to the grid, the rest is the grid's."""
    community = Sockets(2)
    community.pass_slot(0, anna=Flow(solar_wh=1_000, charge_wh=1_000))
    community.order("anna", Side.ASK, 300, 150_000)
    community.order("ben", Side.BID, 300, 150_000)
    name = charged(community, 1_000, wish="stored")
    slot_s = community.pass_slot(1_000, anna=Flow(discharge_wh=300, solar_wh=250), ben=Flow(load_wh=500))
    (line,) = community.receipt(name).lines
    booked = [e for e in community.booked() if e.slot_s == slot_s and e.commodity is Commodity.ENERGY and not e.ref]
    delivered = sum(e.amount for e in booked if e.memo == "watt delivery")
    imported = sum(e.amount for e in booked if e.memo == "grid import")
    exported = sum(e.amount for e in booked if e.memo == "grid export")
    assert (delivered, imported, exported) == (300, 1_200, 250), "the story is the one that is meant"
    assert line.sources == Mix(neighbours_wh=167, stored_wh=200, grid_wh=633), "250, 300 and 950 of 1,500"
    assert community.receipt(name).wished_wh == 200


def test_what_comes_late_changes_no_source() -> None:
    community = Sockets(2, grace_slots=0)
    name, _ = community.authorise()
    community.start(name)
    community.now_s += 600
    community.stop(name, energy_wh=500)
    community.now_s = NOON + SLOT
    community.report("gw-anna", NOON, community.home("anna", Flow(solar_wh=400)))
    community.report("gw-ben", NOON, community.home("ben", Flow()))
    community.meter(name, 500)
    community.report("gw-feeder", NOON, community.feeder(100))
    community.wait(SLOT)
    assert community.state.settled_to_s > NOON
    community.report(GATEWAY, NOON, {METER: (500, 0)})
    (line,) = community.receipt(name).lines
    assert line.sources == Mix(grid_wh=500), "nobody was known to take when the slot was settled"


@pytest.mark.row("E9")
def test_a_guest_whose_key_is_registered_charges_like_anybody() -> None:
    community = Sockets()
    name = charged(community, 700, who="roamer")
    community.pass_slot(700)
    assert community.ergon("roamer") == MONEY - owed(700)
    name = charged(community, 500, who="anna")
    community.pass_slot(500)
    assert community.receipt(name).car == "anna", "a member's own key will do as well"


@pytest.mark.row("E9")
def test_the_car_leaves_early() -> None:
    community = Sockets()
    name, _ = community.authorise()
    community.start(name)
    community.now_s += 300
    community.count(name, (community.now_s, 800))
    community.now_s += 60
    assert community.stop(name, who="car") is Outcome.BOOKED
    assert community.count(name, (community.now_s, 900)) is Outcome.TOO_LATE
    community.meter(name, 850)
    community.pass_slot(850)
    receipt = community.receipt(name)
    assert (receipt.why, receipt.energy_wh, receipt.difference_wh) == ("car", 850, 50)
    assert community.ergon("car") == MONEY - owed(850)


def test_a_car_lets_an_authorisation_go_and_a_station_may_too() -> None:
    community = Sockets()
    for who in ("car", STATION):
        name, _ = community.authorise()
        assert community.stop(name, who="roamer") is Outcome.NOT_ALLOWED
        assert community.stop(name, who=who) is Outcome.BOOKED
        assert (community.reserved("car"), community.session(name)) == (0, None)
        assert community.start(name) is Outcome.UNKNOWN_THING


def test_what_nobody_starts_lapses_with_its_time() -> None:
    community = Sockets()
    name, _ = community.authorise(until_s=NOON + 120)
    community.wait(119)
    assert community.session(name) is not None
    community.wait(1)
    assert (community.reserved("car"), community.session(name)) == (0, None)


@pytest.mark.row("E9")
def test_the_link_drops_and_the_session_ends_at_the_last_signed_count() -> None:
    community = Sockets()
    name, _ = community.authorise()
    community.start(name)
    community.now_s += 120
    community.count(name, (community.now_s, 600))
    community.wait(MOST_SILENT_S - 1)
    assert community.session(name).stopped_s is None
    community.wait(1)
    session = community.session(name)
    assert (session.stopped_s, session.why, session.streamed_wh) == (NOON + 120 + MOST_SILENT_S, "silence", 600)
    assert community.count(name, (community.now_s, 700)) is Outcome.TOO_LATE
    community.now_s = NOON + 3 * SLOT
    for slot_s, wh in ((NOON, 600), (NOON + SLOT, 0), (NOON + 2 * SLOT, 0)):
        community.report("gw-anna", slot_s, community.home("anna", Flow()))
        community.report(GATEWAY, slot_s, {METER: (wh, 0)})
        community.report("gw-feeder", slot_s, community.feeder(wh))
    assert community.ergon(STATION) == 0, "the meter has its grace"
    community.wait(GRACE_S)
    assert community.ergon(STATION) == owed(600)
    assert not community.receipt(name).final
    community.check()


def test_a_session_ends_with_its_authorisation_whether_anybody_stops_it_or_not() -> None:
    community = Sockets()
    name, _ = community.authorise(until_s=NOON + 600)
    community.start(name)
    community.now_s += 400
    community.count(name, (community.now_s, 600))
    community.now_s = NOON + 700
    assert community.stop(name) is Outcome.ALREADY_THERE
    assert (community.session(name).stopped_s, community.session(name).why) == (NOON + 600, "authorisation ended")


@pytest.mark.row("E9")
@pytest.mark.parametrize(("metered_wh", "final_wh"), [(900, 900), (1_000, 1_000), (1_100, 1_100), (0, 0)])
def test_the_meter_comes_late_and_the_difference_is_booked(metered_wh: int, final_wh: int) -> None:
    community = Sockets()
    name, _ = community.authorise()
    community.start(name)
    community.now_s += 600
    community.stop(name, energy_wh=1_000)
    community.pass_slot(1_000)
    community.wait(GRACE_S - SLOT)
    assert community.ergon(STATION) == 0
    assert community.reserved("car") == 4 * MICRO, "all of it, until the grace ends"
    community.wait(SLOT)
    assert community.ergon(STATION) == owed(1_000)
    assert community.reserved("car") == 4 * MICRO - owed(1_000)
    community.check()
    assert community.meter(name, metered_wh) is Outcome.BOOKED
    due = owed(final_wh) if final_wh else 0
    assert (community.ergon(STATION), community.ergon("car")) == (due, MONEY - due)
    assert (community.reserved("car"), community.session(name)) == (0, None)
    assert community.state.accounts.balance("car", Commodity.ENERGY) == final_wh
    receipt = community.receipt(name)
    assert (receipt.final, receipt.energy_wh, receipt.difference_wh) == (True, final_wh, metered_wh - 1_000)
    assert community.meter(name, metered_wh) is Outcome.UNKNOWN_THING
    community.check()


def test_a_late_difference_stays_within_what_is_reserved() -> None:
    community = Sockets()
    name, _ = community.authorise(most_micro=600_000)
    community.start(name)
    community.now_s += 600
    community.stop(name, energy_wh=1_000)
    community.pass_slot(1_000)
    community.wait(GRACE_S)
    assert community.ergon(STATION) == owed(1_000) == 550_000
    community.meter(name, 2_000)
    receipt = community.receipt(name)
    assert (community.ergon(STATION), receipt.paid_micro) == (600_000, 600_000)
    assert receipt.owed_micro == owed(2_000) > receipt.paid_micro


def test_a_meter_that_never_comes_holds_the_rest_only_as_long_as_a_reading_may_be_corrected() -> None:
    community = Sockets(correction_slots=4)
    name, _ = community.authorise()
    community.start(name)
    community.now_s += 600
    community.stop(name, energy_wh=1_000)
    for _ in range(4):
        community.pass_slot()
    assert community.session(name).settled is not None
    assert community.reserved("car") == 4 * MICRO - owed(1_000)
    community.pass_slot()
    assert (community.session(name), community.reserved("car")) == (None, 0)
    assert community.ergon(STATION) == owed(1_000), "the streamed count stands"


@pytest.mark.row("E9")
def test_a_station_that_claims_more_than_its_meter_gets_what_the_meter_counted() -> None:
    community = Sockets()
    name, _ = community.authorise()
    community.start(name)
    community.now_s += 600
    community.stop(name, energy_wh=1_500)
    community.meter(name, 1_200)
    community.pass_slot(1_200)
    receipt = community.receipt(name)
    assert (receipt.energy_wh, receipt.difference_wh) == (1_200, -300)
    assert community.ergon(STATION) == owed(1_200)
    again, _ = community.authorise()
    assert community.start(again) is Outcome.BOOKED, "the register stands where the meter says"


def test_a_station_cannot_begin_where_the_register_was_claimed_already() -> None:
    community = Sockets()
    name, _ = community.authorise()
    community.start(name)
    community.now_s += 600
    community.stop(name, energy_wh=1_500)
    again, _ = community.authorise(most_micro=MICRO)
    assert community.start(again, register_wh=REGISTER_WH + 1_499) is Outcome.NOT_ALLOWED
    assert community.start(again, register_wh=REGISTER_WH + 1_500) is Outcome.BOOKED


def test_no_wh_of_one_register_is_sold_twice() -> None:
    """The second session begins while the first one's meter is silent, and both are then told the same interval."""
    community = Sockets()
    first, _ = community.authorise()
    community.start(first)
    community.now_s += 300
    community.stop(first, energy_wh=1_000)
    second, _ = community.authorise("roamer")
    community.start(second, register_wh=REGISTER_WH + 1_000)
    community.now_s += 300
    community.stop(second, energy_wh=900)
    for name in (first, second):
        assert community.meter(name, 1_900, start_wh=REGISTER_WH) is Outcome.BOOKED
    community.pass_slot(1_900)
    assert [community.receipt(name).energy_wh for name in (first, second)] == [1_000, 900]
    assert community.state.accounts.balance(OWNER, Commodity.ENERGY) == 0


def test_nobody_counts_more_than_the_connection_can_carry() -> None:
    community = Sockets()
    name, _ = community.authorise()
    community.start(name)
    community.now_s += 360
    most_wh = LIMIT_W * 360 // 3600
    assert community.count(name, (community.now_s, most_wh + 2)) is Outcome.OVER_LIMIT
    assert community.count(name, (community.now_s, most_wh)) is Outcome.BOOKED
    community.stop(name)
    community.meter(name, 3 * most_wh)
    community.pass_slot(most_wh)
    assert community.receipt(name).energy_wh == most_wh + 1, "one Wh is rounding"
    assert community.receipt(name).difference_wh == 2 * most_wh, "and the rest is there to be seen"


def test_energy_beyond_what_was_authorised_is_the_stations_to_bear() -> None:
    community = Sockets()
    name, _ = community.authorise(most_energy_wh=500)
    community.start(name)
    community.now_s += 600
    community.stop(name, energy_wh=800)
    community.meter(name, 800)
    community.pass_slot(800)
    receipt = community.receipt(name)
    assert (receipt.energy_wh, receipt.unsold_wh) == (500, 300)
    assert community.ergon("car") == MONEY - owed(500)
    assert community.state.accounts.balance(OWNER, Commodity.ENERGY) == 300


@pytest.mark.row("E9")
def test_a_car_without_money_is_never_reserved_and_never_started() -> None:
    community = Sockets()
    before = community.state.market_leaves()
    name, outcome = community.authorise(most_micro=MONEY + 1)
    assert outcome is Outcome.NOT_BACKED
    assert community.start(name) is Outcome.UNKNOWN_THING
    assert community.state.market_leaves() == before
    assert community.authorise(most_micro=MONEY)[1] is Outcome.BOOKED
    assert community.authorise(most_micro=1)[1] is Outcome.NOT_BACKED, "money is promised once"
    gift = wallet_bodies.Give(target="anna", commodity=Commodity.ERGON, amount=1)
    assert community.ask("anna", Kind.TRANSFER, wallet_bodies.Post(transfer=name)) is Outcome.UNKNOWN_THING
    assert community.ask("car", Kind.TRANSFER, gift) is Outcome.NOT_BACKED


def test_a_station_cannot_take_a_reservation_by_any_transfer() -> None:
    community = Sockets()
    name, _ = community.authorise()
    for body in (wallet_bodies.Post(transfer=name), wallet_bodies.Void(transfer=name)):
        assert community.ask(STATION, Kind.TRANSFER, body) is Outcome.UNKNOWN_THING
    assert community.reserved("car") == 4 * MICRO


def test_counts_that_repeat_or_come_in_the_wrong_order_change_nothing() -> None:
    community = Sockets()
    name, _ = community.authorise()
    community.start(name)
    community.now_s += 300
    assert community.count(name, (NOON + 100, 200), (NOON + 200, 200), (NOON + 300, 700)) is Outcome.BOOKED
    leaves = community.state.market_leaves()
    for counts in (
        [(NOON + 300, 700)],
        [(NOON + 250, 800)],
        [(NOON + 300, 600)],
    ):
        assert community.count(name, *counts) is Outcome.TOO_LATE
    community.now_s += 60
    assert community.count(name, (NOON + 330, 900), (NOON + 360, 899)) is Outcome.TOO_LATE, "all of them or none"
    assert community.count(name, (NOON + 361, 900)) is Outcome.NOT_ALLOWED, "that has not flowed yet"
    assert community.state.market_leaves() == leaves


def test_steps_out_of_order_are_refused() -> None:
    community = Sockets()
    name, _ = community.authorise()
    assert community.count(name, (community.now_s, 0)) is Outcome.TOO_LATE
    assert community.meter(name, 10) is Outcome.NOT_ALLOWED
    assert community.stop(name, energy_wh=5) is Outcome.NOT_ALLOWED
    assert community.start(name) is Outcome.BOOKED
    assert community.start(name) is Outcome.ALREADY_THERE
    other, _ = community.authorise("roamer", most_micro=MICRO)
    assert community.start(other) is Outcome.ALREADY_THERE, "one at a time"
    community.now_s += 60
    assert community.stop(name) is Outcome.BOOKED
    assert community.stop(name) is Outcome.ALREADY_THERE
    assert community.meter(name, 10) is Outcome.BOOKED
    assert community.meter(name, 10) is Outcome.ALREADY_THERE
    assert community.start(other) is Outcome.BOOKED


def test_the_gateways_last_word_ends_a_session_that_nobody_stopped() -> None:
    community = Sockets()
    name, _ = community.authorise()
    community.start(name)
    community.now_s += 600
    assert community.count(name, (community.now_s, 400), who=GATEWAY) is Outcome.BOOKED
    assert community.meter(name, 450) is Outcome.BOOKED
    assert community.stop(name) is Outcome.ALREADY_THERE
    community.pass_slot(450)
    assert (community.receipt(name).why, community.receipt(name).energy_wh) == ("meter", 450)


def test_nobody_speaks_for_another_in_a_session() -> None:
    community = Sockets()
    community.register_key("pole-two", "station", "pole-two")
    name, _ = community.authorise()
    assert community.start(name, who="pole-two") is Outcome.NOT_ALLOWED
    assert community.say("car", session_bodies.Start(session=name, register_wh=1)) is Outcome.NOT_ALLOWED
    community.start(name)
    community.now_s += 60
    assert community.count(name, (community.now_s, 1), who="pole-two") is Outcome.NOT_ALLOWED
    assert community.count(name, (community.now_s, 1), who="car") is Outcome.NOT_ALLOWED
    assert community.count(name, (community.now_s, 1), who="gw-anna") is Outcome.NOT_ALLOWED
    assert community.stop(name, who="pole-two") is Outcome.NOT_ALLOWED
    assert community.stop(name, who="car", energy_wh=1) is Outcome.NOT_ALLOWED
    assert community.meter(name, 1, who="gw-anna") is Outcome.NOT_ALLOWED
    assert community.meter(name, 1, who=STATION) is Outcome.NOT_ALLOWED
    assert community.authorise("pole-two")[1] is Outcome.NOT_ALLOWED


def test_a_station_sells_through_a_meter_that_is_its_own_or_lent_to_it() -> None:
    community = Sockets(2)
    community.register_key("pole-two", "station", "pole-two")
    equip = session_bodies.Equip(meter="ben-home", station="pole-two")
    assert community.tariff("pole-two", "ben-home") is Outcome.NOT_ALLOWED
    assert community.say("anna", equip) is Outcome.NOT_ALLOWED
    assert community.say("ben", session_bodies.Equip(meter="ben-solar", station="pole-two")) is Outcome.NOT_ALLOWED
    assert community.say("ben", session_bodies.Equip(meter="ben-home", station="anna")) is Outcome.UNKNOWN_THING
    assert community.say("ben", session_bodies.Equip(meter="nothing", station="pole-two")) is Outcome.UNKNOWN_THING
    assert community.say("ben", equip) is Outcome.BOOKED
    assert community.tariff("pole-two", METER) is Outcome.NOT_ALLOWED
    assert community.tariff("pole-two", "nothing") is Outcome.UNKNOWN_THING
    assert community.tariff("pole-two", "ben-home") is Outcome.BOOKED
    assert community.say("ben", equip) is Outcome.ALREADY_THERE
    community.register_key("ben-pole", "station", "ben")
    body = session_bodies.Tariff(meter="ben-home", valid_from_s=NOON)
    assert community.ask("ben-pole", Kind.SESSION, body, "ben") is Outcome.ALREADY_THERE, "one station, one meter"


def test_a_station_on_its_owners_own_account_charges_others_and_not_itself() -> None:
    community = Sockets(2)
    community.register_key("ben-pole", "station", "ben")
    body = session_bodies.Tariff(meter="ben-home", valid_from_s=NOON)
    assert community.ask("ben-pole", Kind.SESSION, body, "ben") is Outcome.BOOKED
    assert community.authorise("ben", station="ben")[1] is Outcome.NOT_ALLOWED
    assert community.authorise("anna", station="ben")[1] is Outcome.BOOKED


def test_who_charges_at_their_own_meter_pays_the_station_and_has_the_energy_already() -> None:
    community = Sockets()
    community.pay(OWNER, MONEY, "first volta")
    name = charged(community, 1_000, who=OWNER)
    community.pass_slot(1_000)
    assert community.receipt(name).paid_micro == owed(1_000) == community.ergon(STATION)
    assert community.state.accounts.balance(OWNER, Commodity.ENERGY) == 1_000


def test_a_tariff_holds_from_its_moment_and_never_backwards() -> None:
    community = Sockets()
    assert community.tariff(valid_from_s=NOON) is Outcome.TOO_LATE, "there is one from then already"
    assert community.tariff(valid_from_s=NOON + 600, fee_micro_per_kwh=0) is Outcome.BOOKED
    assert community.tariff(valid_from_s=NOON + 300) is Outcome.TOO_LATE
    now, _ = community.authorise(most_micro=MICRO)
    community.now_s = NOON + 600
    assert community.tariff(valid_from_s=NOON + 599) is Outcome.TOO_LATE
    then, _ = community.authorise(most_micro=MICRO)
    assert [community.session(name).fee.micro_per_kwh for name in (now, then)] == [PER_KWH, 0]
    for number in range(1, MOST_FEES):
        assert community.tariff(valid_from_s=NOON + 600 + number) is Outcome.BOOKED
    assert community.tariff(valid_from_s=NOON + 9_999) is Outcome.OVER_LIMIT
    community.now_s = NOON + 3_600
    assert community.tariff(valid_from_s=NOON + 9_999) is Outcome.BOOKED, "what is over makes room"


def test_a_tariff_that_is_still_to_come_authorises_nobody() -> None:
    community = Sockets(2)
    community.register_key("ben-pole", "station", "ben")
    body = session_bodies.Tariff(meter="ben-home", valid_from_s=NOON + 60)
    community.ask("ben-pole", Kind.SESSION, body, "ben")
    assert community.authorise(station="ben")[1] is Outcome.UNKNOWN_THING
    community.now_s += 60
    assert community.authorise(station="ben")[1] is Outcome.BOOKED


def test_a_car_has_only_so_much_standing() -> None:
    community = Sockets()
    assert community.authorise(until_s=NOON + LONGEST_S + 1)[1] is Outcome.OVER_LIMIT
    assert community.authorise(until_s=NOON)[1] is Outcome.TOO_LATE
    assert community.authorise(station="nowhere")[1] is Outcome.UNKNOWN_THING
    for _ in range(MOST_OPEN):
        assert community.authorise(most_micro=1)[1] is Outcome.BOOKED
    assert community.authorise(most_micro=1)[1] is Outcome.OVER_LIMIT


@pytest.mark.parametrize("began_s", [0, SLOT - 1])
def test_a_session_that_ends_with_its_slot_lies_in_that_slot(began_s: int) -> None:
    community = Sockets()
    community.now_s += began_s
    name, _ = community.authorise()
    community.start(name)
    community.now_s = NOON + SLOT
    community.stop(name, energy_wh=3)
    community.meter(name, 4)
    community.pass_slot(4)
    for number, told in (("gw-anna", community.home("anna", Flow())), (GATEWAY, {METER: (4, 0)})):
        community.report(number, NOON, told)
    community.report("gw-feeder", NOON, community.feeder(4))
    assert [(line.slot_s, line.energy_wh) for line in community.receipt(name).lines] == [(NOON, 4)]


def test_a_session_of_no_time_at_all_is_settled_too() -> None:
    community = Sockets()
    community.now_s += SLOT
    name, _ = community.authorise()
    community.start(name)
    community.stop(name)
    community.meter(name, 1)
    community.wait(8 * SLOT)
    assert [(line.slot_s, line.energy_wh) for line in community.receipt(name).lines] == [(NOON + SLOT, 1)]


def test_all_that_has_come_due_in_a_long_silence_is_done_at_once() -> None:
    community = Sockets(correction_slots=1)
    name, _ = community.authorise()
    community.start(name)
    community.now_s += 600
    community.stop(name, energy_wh=1_000)
    community.wait(20 * SLOT)
    assert community.session(name) is None
    before = community.state.market_leaves(), community.state.rest_leaves()
    community.wait(0)
    assert (community.state.market_leaves(), community.state.rest_leaves()) == before


def test_what_fed_slots_is_forgotten_once_no_session_needs_it() -> None:
    community = Sockets()
    for _ in range(3):
        community.pass_slot()
    assert set(community.state.charging.fed) <= {community.slot_s}
    name, _ = community.authorise()
    community.start(name)
    began_s = community.slot_s
    for n in range(3):
        community.now_s += 450
        assert community.count(name, (community.now_s, 100 * (n + 1))) is Outcome.BOOKED
        community.pass_slot()
    assert sorted(community.state.charging.fed) == [began_s + n * SLOT for n in range(3)]
    community.check()
    community.stop(name)
    community.meter(name, 300)
    community.pass_slot()
    assert len(community.receipt(name).lines) == 3
    assert not [slot_s for slot_s in community.state.charging.fed if slot_s < community.state.settled_to_s]


def test_a_session_at_a_meter_of_a_vehicles_socket_is_one_too() -> None:
    community = Sockets(2)
    claimed = community.claim("ben", "ben-socket", AssetKind.VEHICLE, capacity_wh=60_000)
    assert claimed is Outcome.BOOKED
    community.register_key("ben-pole", "station", "ben")
    body = session_bodies.Tariff(meter="ben-socket", valid_from_s=NOON)
    assert community.ask("ben-pole", Kind.SESSION, body, "ben") is Outcome.BOOKED


@pytest.mark.parametrize("who", ["operator", "planner", "oracle", "dso", "payment"])
def test_who_has_no_part_in_charging_says_nothing_in_it(who: str) -> None:
    community = Sockets()
    assert community.stop("7", who=who) is Outcome.NOT_ALLOWED


def test_a_guest_is_registered_by_the_operator_alone() -> None:
    community = Sockets()
    body = bodies.RegisterKey(public=key("stray").public.hex(), alg="secp256k1", role="car", account="stray")
    assert community.ask("anna", Kind.REGISTER, body) is Outcome.NOT_ALLOWED
    assert community.ask("operator", Kind.REGISTER, body) is Outcome.BOOKED
    assert EXPORT < IMPORT
