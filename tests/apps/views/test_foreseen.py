"""A street with a past is foreseen in its app: bands and cards for who may see them, alarms, habits and answers."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace

import numpy as np
import pytest
from lived import STREET, LivedStreet, open_community

from commonwatt.adapters.stores import brought as store
from commonwatt.adapters.stores.faults import Fault
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps import oversight
from commonwatt.apps.answering import Reply, answer_alarm, answer_proposal
from commonwatt.apps.community import Community
from commonwatt.apps.foresight import Book
from commonwatt.apps.gathering import Gathered, gather
from commonwatt.apps.oversight import Before
from commonwatt.apps.scenes import Scene, scene
from commonwatt.apps.views import alarms, foresight, proposals
from commonwatt.apps.views.cars_ahead import cars_ahead
from commonwatt.apps.views.diary import stated
from commonwatt.apps.views.seeing import Unseen
from commonwatt.apps.web.feed import as_ics
from commonwatt.apps.web.pages import ailing
from commonwatt.apps.web.words import Place, Words
from commonwatt.apps.wiring import MASTER_KEY, keep_past, open_past
from commonwatt.flows.brought import Brought, HomePast
from commonwatt.forecasting.health import Ailment
from commonwatt.forecasting.parked import Parked
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import SLOT_SECONDS, AccountId, AssetId, Refused, epoch, instant, zone_of

ANNA, BEN, CLEO = (AccountId(f"member-{number:02d}") for number in (1, 2, 3))
FEW = [AccountId(f"member-{number:02d}") for number in range(1, 5)]
PAST_DAYS, FAULTY_DAYS = 16, 5
DAY_S = 86_400


def seat(account: AccountId, role: Role = Role.MEMBER) -> Seat:
    """Return a seat of somebody."""
    return Seat(person=account, role=role, account=account)


OPERATOR = seat(AccountId("operator"), Role.OPERATOR)
Story = Callable[[Community, Book], Awaitable[None]]


@pytest.fixture(scope="module")
def foreseen(lived: LivedStreet, tmp_path_factory: pytest.TempPathFactory) -> LivedStreet:
    """The lived street, of which four homes brought some days along; the third one's roof has lost a string of late."""
    folder = tmp_path_factory.mktemp("foreseen") / "street"
    shutil.copytree(lived.folder, folder)
    drawn = scene(STREET)
    keep_past(Scene(replace(drawn.street, starts="12:00"), drawn.recorded), folder)
    whole = open_past(folder)
    homes = {owner: _late(whole.homes[owner]) for owner in FEW}
    faulty = homes[CLEO]
    last = FAULTY_DAYS * DAY_S // SLOT_SECONDS + 48
    homes[CLEO] = replace(faulty, solar_wh=(*faulty.solar_wh[:-last], *(wh * 3 // 5 for wh in faulty.solar_wh[-last:])))
    homes[ANNA] = replace(homes[ANNA], stays={AssetId("car-01"): _nights(homes[ANNA])})
    homes[BEN] = replace(homes[BEN], stays={AssetId("car-02"): _nights(homes[BEN])})
    told = replace(whole, homes=homes)
    store.keep(folder, MasterKey.in_file(folder / MASTER_KEY), told)
    return replace(lived, folder=folder)


def _late(home: HomePast) -> HomePast:
    """Return the last days of a past."""
    drop = len(home.load_wh) - (PAST_DAYS * DAY_S + 12 * 3_600) // SLOT_SECONDS
    first_s = home.first_s + drop * SLOT_SECONDS
    return replace(home, first_s=first_s, load_wh=home.load_wh[drop:], solar_wh=home.solar_wh[drop:], stays={})


def _nights(home: HomePast) -> tuple[Parked, ...]:
    """Return stays from six in the evening to half past seven in the morning."""
    midnight_s = (home.first_s // DAY_S + 1) * DAY_S
    return tuple(
        Parked(start_s=midnight_s + day * DAY_S - 6 * 3_600, end_s=midnight_s + day * DAY_S + 27_000, energy_wh=9_000)
        for day in range(1, PAST_DAYS - 1)
    )


@pytest.fixture(scope="module")
def book(foreseen: LivedStreet) -> Book:
    """What is foreseen of it, made once."""

    async def make() -> Book:
        async with open_community(foreseen) as community:
            return await community.book()

    return asyncio.run(make())


def tell(street: LivedStreet, book: Book, story: Story) -> None:
    """Live through a story in the street's community, with its door open."""

    async def run() -> None:
        async with open_community(street) as community:
            await story(community, book)

    asyncio.run(run())


@pytest.mark.row("X9")
@pytest.mark.row("H8")
def test_a_member_sees_their_own_home_and_roof_with_what_came_and_nobody_elses(
    foreseen: LivedStreet, book: Book
) -> None:
    async def story(community: Community, book: Book) -> None:
        load, sun = foresight.home(community, seat(ANNA), ANNA, book)
        assert (load.of, sun.of, load.series, load.unit) == ("load", "solar", ANNA, "Wh")
        midnight = instant(load.issued_s).astimezone(zone_of(community.state.charter.timezone))
        assert (midnight.hour, midnight.minute) == (0, 0) and load.issued_s <= community.told_s
        assert len(load.slots) == 3 * 96 and load.slots[96].slot_s == load.issued_s
        ahead = [one for one in load.slots if one.now is not None]
        assert ahead and ahead[0].slot_s >= community.told_s - SLOT_SECONDS, "what is to come today, by what came"
        last_s = max(one.slot_s for one in load.slots if one.came is not None)
        assert [one.slot_s for one in ahead] == [one.slot_s for one in load.slots[96:192] if one.slot_s > last_s]
        for one in (*load.slots, *sun.slots):
            assert one.low_90 <= one.low_50 <= one.high_50 <= one.high_90
        assert all(one.came is not None for one in load.slots[:96]), "yesterday came"
        lived = [one for one in load.slots[96:] if one.came is not None]
        assert lived and all(one.slot_s < community.told_s for one in lived), "today so far"
        assert load.card.slots == 6 * 96 and load.card.reason
        assert load.card.skill is not None and load.card.used is ("is not used" not in load.card.reason)
        week, _ = foresight.home(community, seat(ANNA), ANNA, book, 7)
        assert len(week.slots) == 8 * 96 and week.slots[: 3 * 96] == load.slots
        with pytest.raises(Unseen):
            foresight.home(community, seat(BEN), ANNA, book)
        with pytest.raises(Unseen):
            foresight.home(community, OPERATOR, ANNA, book)

    tell(foreseen, book, story)


@pytest.mark.row("X9")
def test_who_runs_the_community_sees_how_each_model_does_in_no_unit_of_energy(
    foreseen: LivedStreet, book: Book
) -> None:
    async def story(community: Community, book: Book) -> None:
        cards = foresight.cards(community, OPERATOR, book)
        homes = [one for one in cards if one.series == ANNA]
        assert {one.of for one in homes} == {"load", "solar"}
        assert all(one.pinball is None and one.reason == "" and one.skill is not None for one in homes)
        own = foresight.cards(community, seat(ANNA), book)
        assert {one.series for one in own} == {ANNA, "price", "export price"} and all(
            one.pinball for one in own if one.series == ANNA
        )
        told = foresight.commons(community, OPERATOR, book)
        # Most homes brought no past along: of their sum nothing is known yet, and no nought is told for it.
        assert [one.of for one in told] == ["solar", "price", "export price"], "one zone is told as the community"
        with pytest.raises(Refused):
            foresight.commons(community, seat(ANNA), book)

    tell(foreseen, book, story)


@pytest.mark.row("W11")
@pytest.mark.row("E10")
def test_a_roof_that_lost_a_string_alarms_its_owner_and_its_visit_stands_in_the_calendar(
    foreseen: LivedStreet, book: Book
) -> None:
    async def story(community: Community, book: Book) -> None:
        (told,) = alarms.of_all(community, OPERATOR, book)
        found = told.alarm
        assert (found.asset, found.owner, found.ailment) == ("solar-03", CLEO, Ailment.STRING_LOSS)
        assert 300 < found.off_permille < 500 and found.score > found.threshold and found.lost_micro > 0
        assert found.until_s - (FAULTY_DAYS + 2) * DAY_S <= found.since_s < found.until_s
        assert told.what_to_do and told.accepted is None and found.visit.start_s > community.told_s
        assert alarms.of_account(community, seat(ANNA), ANNA, book) == []
        with pytest.raises(Unseen):
            answer_alarm(community, seat(ANNA), ANNA, book, found.id, Reply.ACCEPT)
        with pytest.raises(Refused):
            alarms.of_all(community, seat(CLEO), book)
        answer_alarm(community, seat(CLEO), CLEO, book, found.id, Reply.DECLINE)
        assert alarms.visits(community, CLEO, book) == []
        answer_alarm(community, seat(CLEO), CLEO, book, found.id, Reply.ACCEPT)
        for reply, word in ((Reply.MENDED, "mended"), (Reply.AS_IT_IS, "as it is")):
            answer_alarm(community, seat(CLEO), CLEO, book, found.id, reply)
            (seen,) = alarms.of_account(community, seat(CLEO), CLEO, book)
            assert (seen.word, seen.accepted) == (word, None) and alarms.visits(community, CLEO, book) == []
        answer_alarm(community, seat(CLEO), CLEO, book, found.id, Reply.TAKE_BACK)
        assert [(one.word, one.accepted) for one in alarms.of_account(community, seat(CLEO), CLEO, book)] == [
            (None, None)
        ]
        answer_alarm(community, seat(CLEO), CLEO, book, found.id, Reply.ACCEPT)
        zone = zone_of(community.state.charter.timezone)
        words = Words("en", Place(name="street", zone=zone, currency="GBP"))
        written = as_ics(words, [], alarms.visits(community, CLEO, book)).decode()
        assert "solar-03" in written and f"DTSTART:{instant(found.visit.start_s):%Y%m%dT%H%M%SZ}" in written
        assert epoch(instant(found.visit.start_s).astimezone(zone).replace(hour=10)) == found.visit.start_s

    tell(foreseen, book, story)


@pytest.mark.row("X9")
def test_a_habit_is_proposed_to_its_owner_alone_stated_when_accepted_and_never_asked_again_when_declined(
    foreseen: LivedStreet, book: Book
) -> None:
    async def story(community: Community, book: Book) -> None:
        (asked,) = proposals.proposals(community, seat(ANNA), ANNA, book)
        assert asked.text == "charge of car-01 >= 35% at 07:30 every weekday"
        assert (asked.minute, asked.needs_wh, asked.off) == (450, 9_000, False) and asked.kept_permille >= 900
        before = stated(community, seat(ANNA), ANNA)
        with pytest.raises(Unseen):
            proposals.proposals(community, seat(BEN), ANNA, book)
        assert stated(community, seat(ANNA), ANNA) == before, "nothing is stated by proposing it"
        with pytest.raises(Exception, match="what its rules allow"):
            await answer_proposal(
                community, seat(ANNA), ANNA, book, asked.id, accept=True, text="charge of car-99 >= 50% at 07:30"
            )
        assert proposals.proposals(community, seat(ANNA), ANNA, book) == [asked], "what was refused is not answered"
        edited = "charge of car-01 >= 60% at 07:15 every weekday"
        await answer_proposal(community, seat(ANNA), ANNA, book, asked.id, accept=True, text=edited)
        assert edited in [one.text for one in stated(community, seat(ANNA), ANNA)]
        assert proposals.proposals(community, seat(ANNA), ANNA, book) == []

    tell(foreseen, book, story)


def test_a_past_that_is_kept_again_leaves_what_was_erased_of_it(foreseen: LivedStreet) -> None:
    before = open_past(foreseen.folder)
    assert isinstance(before, Brought) and set(before.homes) == set(FEW)
    keep_past(scene(STREET), foreseen.folder)
    assert open_past(foreseen.folder) == before


def test_a_street_without_a_past_says_that_it_is_too_young(lived_copy: LivedStreet, book: Book) -> None:
    async def story(community: Community, old: Book) -> None:
        young = await community.book()
        assert young.issued_s == old.issued_s
        assert community.foresight.latest is young
        assert foresight.home(community, seat(ANNA), ANNA, young) == [], "no mean of nothing is shown as a zero"
        load = next(one for one in foresight.cards(community, seat(ANNA), young) if one.of == "load")
        assert not load.used and "0 whole days" in load.reason and load.slots == 0
        assert not young.alarms and not young.decisions
        assert proposals.outlooks(community, OPERATOR, young).risks == []

    tell(lived_copy, book, story)


@pytest.mark.row("X9")
def test_a_member_sees_when_their_car_leaves_or_is_back_and_how_good_that_was_and_nobody_else_s(
    foreseen: LivedStreet, book: Book
) -> None:
    async def story(community: Community, book: Book) -> None:
        (one,) = cars_ahead(community, seat(ANNA), ANNA, book)
        assert one.asset == "car-01" and one.as_of_s == community.told_s and one.next is not None
        assert len(one.next.until_s) == len(one.levels_permille) >= 9
        assert list(one.next.until_s) == sorted(one.next.until_s) and one.next.since_s <= community.told_s
        assert one.card is not None and one.card.stays >= 5 and one.next.used is one.card.used
        with pytest.raises(Unseen):
            cars_ahead(community, seat(BEN), ANNA, book)
        with pytest.raises(Unseen):
            cars_ahead(community, OPERATOR, ANNA, book)

    tell(foreseen, book, story)


@pytest.mark.row("H8")
def test_what_plans_lost_together_is_told_of_three_members_and_more(foreseen: LivedStreet, book: Book) -> None:
    async def story(community: Community, book: Book) -> None:
        lost = {AccountId(f"member-{number:02d}"): 1_000 * number for number in range(1, 4)}
        for decided, told in ((lost, 6_000), (dict(list(lost.items())[:2]), None), ({}, None)):
            assert foresight.lost_micro(replace(book, decisions=decided)) == told

    tell(foreseen, book, story)


def test_every_ailment_has_a_sentence_and_something_to_do_in_every_language() -> None:
    assert set(ailing.WHAT) == {one.value for one in Ailment}
    place = Place(name="street", zone=zone_of("UTC"), currency="GBP")
    for text in (*alarms.WHAT_TO_DO.values(), *ailing.WHAT.values()):
        assert len({Words(language, place).say(text, device="a", percent="b") for language in ("en", "de", "es")}) == 3


@pytest.mark.row("W11")
def test_a_roof_s_fault_that_has_become_its_usual_stands_and_costs_more_each_day_until_it_was_mended(
    foreseen: LivedStreet,
) -> None:
    """Its reference days are faulty ones; what is known of them makes the difference."""
    with_past = asyncio.run(_gathered(foreseen))
    begins_s = int(with_past.starts_s[0, 0]) - 30 * DAY_S
    fault = Fault(
        id="f", since_s=begins_s, ailment="string loss", off_permille=400, score=9.0, lost_wh=10_000,
        until_s=int(with_past.starts_s[-4, 0]),
    )  # fmt: skip
    at = with_past.homes.index(CLEO)
    sun = with_past.solar_wh.copy()
    sun[at, : -FAULTY_DAYS - 3] *= 0.6  # all days of it alike: nothing is seen any more
    told = replace(with_past, solar_wh=sun)
    roof = next(name for name, one in told.meters.items() if one.asset.owner == CLEO and name.startswith("solar"))
    assert [one for one in oversight.alarms(told) if one.asset == roof] == []
    (one,) = [one for one in oversight.alarms(told, {roof: Before(stands=fault, anew_s=0)}) if one.asset == roof]
    assert (one.ailment, one.since_s, one.off_permille) == (Ailment.STRING_LOSS, begins_s, 400)
    made = float(np.nansum(np.where(told.starts_s[: len(told.days) - 1] >= fault.until_s, sun[at, :-1], 0)))
    assert one.lost_wh == pytest.approx(10_000 + made * 2 / 3, abs=1)
    now = oversight.alarms(told, {roof: Before(stands=None, anew_s=fault.until_s)})
    assert [one for one in now if one.asset == roof] == [], "what was mended is compared with nothing older"


async def _gathered(street: LivedStreet) -> Gathered:
    async with open_community(street) as community:
        return gather(community.state, community.chronicle, open_past(street.folder), community.told_s)
