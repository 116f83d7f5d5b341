"""The story of a session on paper: unattended from wish to receipt, whoever is killed between any two steps."""

import pytest
from community import IMPORT, NOON, key
from sockets import GATEWAY, MONEY, PER_KWH, PER_SESSION, REGISTER_WH, STATION, Sockets

from commonwatt.flows.charge_session import ChargeSession, Party, Step, affordable_wh, receipt
from commonwatt.flows.rulebook.session_bodies import Authorise
from commonwatt.flows.rulebook.sessions import MOST_SILENT_S
from commonwatt.flows.sequence import Sequencer
from commonwatt.model import MICRO, AccountId, Refused
from commonwatt.simulator.forecourt import PaperCar, PaperPoint
from commonwatt.simulator.paper import PaperLog
from commonwatt.simulator.world import salts

POWER_W = 11_000


def wish(**more: int) -> Authorise:
    terms = {"most_energy_wh": 9_000, "most_micro": 4 * MICRO, "until_s": NOON + 7_200} | more
    return Authorise(station=STATION, **terms)


def story(car: PaperCar, point: PaperPoint) -> ChargeSession:
    def party(name: str) -> Party:
        return Party(key(name), AccountId(name))

    return ChargeSession(car=party("car"), station=party(STATION), gateway=party(GATEWAY), driver=car, point=point)


def new_point(**more: int) -> PaperPoint:
    return PaperPoint(POWER_W, REGISTER_WH, **more)


def killed(community: Sockets) -> None:
    """Let the writer be killed, and another wake up over what is durable."""
    log = PaperLog()
    log.append(community.rows(), {}, {(0, 0): community.store.tile(0, 0)})
    community.store, community.sequencer = log, Sequencer(log, community.state.community, salts("tiny"))


def told(
    community: Sockets, session: ChargeSession, minutes: int = 30, *, kill: bool = False, every_s: int = 120
) -> list[Step]:
    """Advance every few minutes; slots pass with what the register counted in them."""
    steps, register_wh = list[Step](), session.point.register_wh
    end_s = community.now_s + 60 * minutes
    while community.now_s < end_s:
        steps.append(session.advance(community.sequencer, community.now_s))
        if kill:
            killed(community)
        if (community.now_s + every_s) // 900 > community.now_s // 900:
            community.pass_slot(session.point.register_wh - register_wh)
            register_wh = session.point.register_wh
        else:
            community.now_s += every_s
    return steps


def settled(community: Sockets) -> None:
    for _ in range(3):
        community.pass_slot()


@pytest.mark.row("E9")
@pytest.mark.parametrize("kill", [False, True])
def test_a_session_goes_from_wish_to_receipt_by_itself(kill: bool) -> None:
    community, point = Sockets(), new_point()
    session = story(PaperCar(wish(), 1_500), point)
    name = str(len(community.sequencer.tree))
    steps = told(community, session, 20, kill=kill)
    assert steps[:2] == [Step.AUTHORISED, Step.STARTED]
    assert steps.count(Step.STOPPED) == steps.count(Step.METERED) == 1
    assert steps[2 : steps.index(Step.STOPPED)] == [Step.COUNTED] * (steps.index(Step.STOPPED) - 2)
    assert set(steps[steps.index(Step.METERED) + 1 :]) <= {Step.IDLE}
    settled(community)
    shown = receipt(community.rows(), "tiny", name)
    assert shown.why == "car"
    assert shown.energy_wh == point.register_wh - REGISTER_WH >= 1_500
    assert shown.paid_micro == MONEY - community.ergon("car") == community.ergon(STATION)
    assert shown.final


@pytest.mark.row("E9")
def test_a_killed_writer_reaches_the_very_same_root() -> None:
    roots = []
    for kill in (False, True):
        community = Sockets()
        told(community, story(PaperCar(wish(), 1_500), new_point()), 20, kill=kill)
        settled(community)
        roots.append(community.roots())
    assert roots[0] == roots[1]


def test_the_station_stops_where_the_cars_limits_are_reached() -> None:
    for limits, most_wh in (({"most_energy_wh": 1_000}, 1_000), ({"most_micro": 500_000}, 857)):
        community, point = Sockets(), new_point()
        name = str(len(community.sequencer.tree))
        steps = told(community, story(PaperCar(wish(**limits), 10**6), point), 14, every_s=60)
        assert Step.STOPPED in steps
        settled(community)
        shown = receipt(community.rows(), "tiny", name)
        assert (shown.why, shown.most_micro >= shown.paid_micro) == ("station", True)
        assert most_wh <= point.register_wh - REGISTER_WH <= most_wh + POWER_W // 60
    assert (500_000 - PER_SESSION) * 1000 // (IMPORT + PER_KWH) == 857


def test_what_is_affordable_is_bounded_by_energy_where_it_costs_nothing() -> None:
    community = Sockets()
    community.now_s += 3_600 * 24 * 30  # no price is told that far
    community.tariff(fee_micro_per_kwh=0)
    name, _ = community.authorise()
    community.start(name)
    assert affordable_wh(community.state, community.session(name), community.now_s) == 20_000


@pytest.mark.row("E9")
def test_the_link_drops_and_the_meter_is_read_once_it_is_back() -> None:
    community, point = Sockets(), new_point()
    session = story(PaperCar(wish(), 10**6), point)
    name = str(len(community.sequencer.tree))
    told(community, session, 6)
    point.reached = False
    assert set(told(community, session, MOST_SILENT_S // 60 + 4)) == {Step.UNREACHED}
    community.wait(60)
    assert community.session(name).why == "silence"
    point.reached = True
    assert session.advance(community.sequencer, community.now_s) is Step.METERED
    settled(community)
    shown = receipt(community.rows(), "tiny", name)
    assert shown.final
    assert shown.difference_wh is not None
    assert shown.difference_wh > 0, "what flowed while nobody heard of it is there to be seen"
    assert shown.paid_micro <= shown.most_micro


def test_a_station_that_says_more_than_its_register_is_shown_to() -> None:
    community = Sockets()
    name = str(len(community.sequencer.tree))
    told(community, story(PaperCar(wish(), 1_500), new_point(hidden_wh=70)), 20)
    settled(community)
    shown = receipt(community.rows(), "tiny", name)
    assert shown.energy_wh == shown.metered_wh
    assert shown.difference_wh == -70


def test_who_cannot_pay_is_refused_and_nothing_flows() -> None:
    community, point = Sockets(), new_point()
    session = story(PaperCar(wish(most_micro=MONEY + 1), 1_500), point)
    assert set(told(community, session, 6)) == {Step.REFUSED}
    assert point.register_wh == REGISTER_WH


def test_who_wants_nothing_is_left_alone() -> None:
    community = Sockets()
    session = story(PaperCar(wish(), 1_500, leaves_s=NOON), new_point())
    assert session.advance(community.sequencer, community.now_s) is Step.IDLE


def test_there_is_no_receipt_of_what_was_not_settled() -> None:
    community = Sockets()
    name, _ = community.authorise()
    for session in (name, "7"):
        with pytest.raises(Refused, match="settled"):
            receipt(community.rows(), "tiny", session)
