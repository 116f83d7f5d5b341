"""A community's feeds beside its app: asked over a real socket, kept, told to the log, and seen at home."""

import asyncio
import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from lived import STREET, LivedStreet, open_community
from typer.testing import CliRunner

from commonwatt.adapters.stores.feed_archive import FeedArchive
from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.apps import door_card, feeding
from commonwatt.apps.cli.main import app
from commonwatt.apps.community import Community
from commonwatt.apps.demo_feeds import played_feeds
from commonwatt.apps.feed_terms import FILE, FOLDER, open_outside, read_terms
from commonwatt.apps.scenes import scene
from commonwatt.apps.views import home as views
from commonwatt.apps.web.pages import home as page
from commonwatt.apps.web.words import Place, Words
from commonwatt.flows.feeds.known import Origin
from commonwatt.flows.feeds.ports import FeedState, Now
from commonwatt.flows.feeds.series import Issue, Topic, What
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import SLOT_SECONDS, AccountId, AssetId, InvalidValue, Refused, epoch
from commonwatt.simulator.feeds.formats import Recording
from commonwatt.simulator.feeds.twin import Fault, Twin
from commonwatt.simulator.recorded import known_until

pytestmark = pytest.mark.row("X9")
GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "feeds.md"
ME = AccountId("member-01")
SEAT = Seat(person=ME, role=Role.MEMBER, account=ME)
HALF_S, DAY_S = 1_800, 86_400
FEEDS = """
carbon = "GB"

[[feed]]
name = "grid"
source = "gb_carbon"
place = "GB"
address = "{address}"

[[feed]]
name = "agile"
source = "octopus"
place = "agile"
address = "{address}"
settings = {{ product = "AGILE-18-02-21", tariff = "E-1R-AGILE-18-02-21-A" }}

[tell]
bought = {{ place = "agile" }}
sold = {{ place = "agile", permille = 500, plus_micro_per_kwh = -1000 }}
"""


@pytest.fixture
def twin(lived: LivedStreet) -> Iterator[Twin]:
    first_s = lived.end_s // DAY_S * DAY_S - DAY_S

    def days(values: list[str], until_s: int | None = None) -> Recording:
        told = tuple(values[n % len(values)] for n in range(6 * 48))
        ends_s = first_s + 6 * DAY_S if until_s is None else until_s
        return Recording(start_s=first_s, step_s=HALF_S, values=told, until_s=lambda now_s: ends_s)

    carbon = {"forecast": days(["97", "93", "95"]), "actual": days(["90", "94", "96"], lived.end_s - 2 * HALF_S)}
    recorded = {"gb_carbon": carbon, "octopus": {"price": days(["13.23", "14", "12.5265"])}}
    with Twin(recorded, lambda: lived.end_s) as playing:
        yield playing


def configure(folder: Path, twin: Twin, text: str = FEEDS) -> None:
    (folder / FILE).write_text(text.format(address=twin.address))


@pytest.mark.row("E10")
@pytest.mark.row("E13")
def test_a_feed_s_prices_reach_the_log_by_the_oracle_s_word_and_its_carbon_the_home(
    lived_copy: LivedStreet, twin: Twin
) -> None:
    configure(lived_copy.folder, twin)
    asyncio.run(_live(lived_copy, twin))


def test_what_cannot_be_kept_of_one_feed_costs_no_other_its_answer_and_nobody_is_asked_again_before_it_is_due(
    lived_copy: LivedStreet, twin: Twin, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(lived_copy.folder, twin)
    keep, tried, later_s = FeedArchive.keep, list[str](), [0]

    def stumbling(self: FeedArchive, state: FeedState, issues: Sequence[Issue]) -> int:
        tried.append(state.name)
        if tried == ["grid"]:
            raise OSError("no space left on device")
        return keep(self, state, issues)

    monkeypatch.setattr(FeedArchive, "keep", stumbling)

    async def story() -> None:
        async with open_community(lived_copy) as community:
            now_s = community.now_s
            monkeypatch.setattr(community, "now_s", lambda: now_s() + later_s[0])
            looked = _count_looks(community, monkeypatch)
            task = asyncio.ensure_future(feeding.keep_feeds(community, 0.02))
            async with asyncio.timeout(60):
                while looked[0] < 8:
                    await asyncio.sleep(0.02)
                assert tried == ["grid", "agile"] and len(twin.asked) == 2, "agile was kept, and grid is left alone"
                later_s[0] = DAY_S
                while tried.count("grid") < 2:
                    await asyncio.sleep(0.02)
            assert not task.done() and community.outside is not None
            assert community.outside.archive.last(Topic(What.CARBON, "GB"), "gb_carbon"), "what was lost is had again"
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    asyncio.run(story())


def _count_looks(community: Community, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count how often somebody looks whether a feed is due."""
    looked, ask_due = [0], feeding.ask_due

    async def counted(*told: object) -> bool:
        looked[0] += 1
        return await ask_due(*told)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(feeding, "ask_due", counted)
    return looked


async def _live(lived: LivedStreet, twin: Twin) -> None:
    async with open_community(lived) as community:
        before = dict(community.state.prices)
        last_s = max(before)
        task = asyncio.ensure_future(feeding.keep_feeds(community, 0.02))
        async with asyncio.timeout(60):
            while max(community.state.prices) == last_s:
                await asyncio.sleep(0.02)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        # What plans look at is what the twin recorded, slot after slot to the end of what is asked for.
        told = {slot_s: both for slot_s, both in community.state.prices.items() if slot_s not in before}
        recording = twin.recorded["octopus"]["price"]
        for slot_s, (bought, sold) in told.items():
            recorded = recording.values[(slot_s - recording.start_s) // HALF_S]
            assert bought == round(float(recorded or 0) * 10_000)
            assert abs(sold - (bought / 2 - 1_000)) <= 0.5
        assert max(told) == (lived.end_s // DAY_S + 3) * DAY_S - SLOT_SECONDS
        assert community.state.prices.items() >= before.items()
        assert len(twin.asked) == 2, "nobody is asked before it is due"
        _check_carbon(community, twin)


def _check_carbon(community: Community, twin: Twin) -> None:
    home = views.home(community, SEAT, ME)
    carbon = home.today.carbon
    assert carbon is not None
    expected = {"net": 0, "alone": 0}
    slots = range(home.today.from_s, home.today.to_s, SLOT_SECONDS)
    for slot_s in slots:
        step = (slot_s - twin.recorded["gb_carbon"]["actual"].start_s) // HALF_S
        measured = slot_s < community.now_s() - 2 * HALF_S
        grams = (("90", "94", "96") if measured else ("97", "93", "95"))[step % 3]
        net, battery = (
            sum(
                one.reading.import_wh - one.reading.export_wh
                for one in community.chronicle.readings(AssetId(f"{asset}-01"), slot_s, slot_s + SLOT_SECONDS)
            )
            for asset in ("home", "battery")
        )
        expected["net"] += net * int(grams)
        expected["alone"] += (net - battery) * int(grams)
    assert (carbon.emitted_mg, carbon.alone_mg) == (expected["net"], expected["alone"])
    assert carbon.alone_mg != carbon.emitted_mg
    told = community.chronicle.readings(AssetId("home-01"), home.today.from_s, home.today.to_s)
    assert 0 < carbon.measured_slots < carbon.slots == carbon.of_slots == len(told)
    assert (carbon.source, carbon.heard_s) == ("Carbon Intensity API (NESO)", community.now_s())
    words = Words(language="de", place=Place(name="street", zone=ZoneInfo("Europe/London"), currency="GBP"))
    shown = page._values(words, home)
    saved_g = (carbon.alone_mg - carbon.emitted_mg) / 1_000
    assert str(shown["carbon"]).replace("\N{MINUS SIGN}", "-").startswith("+" if saved_g > 0 else "-")
    assert "Carbon Intensity API (NESO)" in str(shown["carbon_note"])
    assert "Heute gespartes CO₂" in [one.label for one in page._figures(words, shown)]


def test_where_no_feed_tells_carbon_none_is_shown(lived: LivedStreet) -> None:
    community = Community(lived.folder, lambda: lived.end_s, lambda: None)
    community.catch_up()
    home = views.home(community, SEAT, ME)
    words = Words(language="en", place=Place(name="street", zone=ZoneInfo("Europe/London"), currency="GBP"))
    shown = page._values(words, home)
    assert (home.today.carbon, "carbon" in shown) == (None, False)
    assert "Carbon saved today" not in [one.label for one in page._figures(words, shown)]
    community.close()


def test_before_the_first_answer_home_says_that_nothing_is_published(lived_copy: LivedStreet, twin: Twin) -> None:
    configure(lived_copy.folder, twin)
    community = Community(lived_copy.folder, lambda: lived_copy.end_s, lambda: None)
    community.catch_up()
    carbon = views.home(community, SEAT, ME).today.carbon
    assert carbon is not None
    assert (carbon.slots, carbon.emitted_mg, carbon.heard_s) == (0, 0, None)
    assert carbon.of_slots > 0
    assert community.outside is not None
    community.outside.archive._db.execute("DROP TABLE issue")
    assert views.home(community, SEAT, ME).today.carbon is None, "a broken archive takes no home with it"
    community.close()


def test_the_command_asks_shows_and_says_what_went_wrong_and_what_was_corrected(
    lived_copy: LivedStreet, twin: Twin
) -> None:
    folder = lived_copy.folder
    configure(folder, twin)
    door_card.write(folder, _stopped(lived_copy.end_s))
    twin.fail(Fault.ERROR)
    told = json.loads(CliRunner().invoke(app, ["feeds", str(folder), "--fetch", "--json"]).stdout)
    grid, agile = told["feeds"]
    assert (grid["failures"], grid["trouble"], grid["next_s"]) == (1, "grid answers HTTP 500", lived_copy.end_s + 60)
    assert grid["series"][0]["values"] == 0
    assert (agile["failures"], agile["answered_s"]) == (0, lived_copy.end_s)
    assert agile["series"][0]["topic"] == "price agile"
    assert agile["series"][0]["unit"] == "micro_per_kwh"
    assert told["corrected"], "what the street was told is not what this twin publishes"
    shown = CliRunner().invoke(app, ["feeds", str(folder), "--name", "grid"])
    assert "without an answer" in shown.stdout, "within a minute of a failure nobody is asked, by hand either"
    door_card.write(folder, _stopped(lived_copy.end_s + 60))
    shown = CliRunner().invoke(app, ["feeds", str(folder), "--name", "grid"])
    assert shown.exit_code == 0
    assert "carbon GB measured" in shown.stdout
    assert "without an answer" not in shown.stdout
    assert "micro, published as" in shown.stdout
    wrong = CliRunner().invoke(app, ["feeds", str(folder), "--name", "nobody"])
    assert isinstance(wrong.exception, Refused)


def test_forecasts_see_through_an_outage_what_was_last_known_and_say_so(lived_copy: LivedStreet, twin: Twin) -> None:
    configure(lived_copy.folder, twin)
    outside = open_outside(lived_copy.folder)
    assert outside is not None
    now_s = lived_copy.end_s
    with feeding.opened(lived_copy.folder, outside.terms) as feeds:
        done = feeding.ask(feeds[0], outside.archive.state("grid"), Now(log_s=now_s, system_s=now_s))
        outside.archive.keep(done.state, done.issues)
        twin.fail(Fault.ERROR)
        later_s = now_s + 8 * 3_600
        done = feeding.ask(feeds[0], outside.archive.state("grid"), Now(log_s=later_s, system_s=later_s))
        outside.archive.keep(done.state, done.issues)
    span = feeding.window(later_s)
    ends_s = epoch(feeding.window(now_s).end)
    for one in outside.known(Topic(What.CARBON, "GB"), span, later_s):
        assert one.origin is (Origin.OLD if one.slot_s < ends_s else Origin.USUAL)
        assert one.value is not None
    outside.close()
    assert (lived_copy.folder / FOLDER / "issues.sqlite").exists()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('source = "octopus"', 'source = "weather channel"'),
        ('name = "agile"', 'name = "grid"'),
        ('carbon = "GB"', 'carbon = "FR"'),
        ('bought = {{ place = "agile" }}', ""),
        ('bought = {{ place = "agile" }}', 'bought = {{ place = "GB" }}'),
        ('tariff = "E-1R', 'tariff = "../E-1R'),
        ('place = "GB"', 'place = "GB"\nsecret = "x"'),
        ("[tell]", '[[tell.event]]\nname = "frost"\nwhat = "temperature"\nplace = "GB"\ndirection = "charge"\n[tell]'),
        ("[tell]", "[tell"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused_in_words(
    tmp_path: Path, twin: Twin, before: str, after: str
) -> None:
    assert before in FEEDS
    configure(tmp_path, twin, FEEDS.replace(before, after, 1))
    with pytest.raises(InvalidValue):
        open_outside(tmp_path)


def test_a_token_that_others_can_read_is_not_used(tmp_path: Path, twin: Twin) -> None:
    entry = '[[feed]]\nname = "de"\nsource = "entsoe"\nplace = "DE"\ntoken = "token"\naddress = "{address}"\n'
    configure(tmp_path, twin, entry + 'settings = {{ zone = "10Y1001A1001A82H" }}\n')
    terms = read_terms(tmp_path / FILE)
    with pytest.raises(Refused, match="missing token"), feeding.opened(tmp_path, terms):
        pass
    (tmp_path / "token").write_text("s3cret\n")
    (tmp_path / "token").chmod(0o644)
    with pytest.raises(Refused, match="chmod 600"), feeding.opened(tmp_path, terms):
        pass
    (tmp_path / "token").chmod(0o600)
    with feeding.opened(tmp_path, terms) as feeds:
        assert [feed.name for feed in feeds] == ["de"]


def test_the_guide_s_configuration_is_one(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    (tmp_path / FILE).write_text(shown)
    outside = open_outside(tmp_path)
    assert outside is not None
    assert outside.order[Topic(What.CARBON, "GB")] == ("gb_carbon", "electricity_maps")
    assert outside.tells is not None
    assert [event.below for event in outside.tells.events] == [-5_000]
    (tmp_path / "keys").mkdir()
    save_secret(tmp_path / "keys" / "electricity-maps", b"s3cret")
    with feeding.opened(tmp_path, outside.terms) as feeds:
        assert [feed.name for feed in feeds] == ["grid", "grid-two", "bought", "sold", "sky"]
    outside.close()


def test_a_demonstration_s_feeds_play_what_its_street_recorded_and_leave_somebody_s_own_alone(
    lived_copy: LivedStreet,
) -> None:
    folder = lived_copy.folder
    door_card.write(folder, _stopped(lived_copy.end_s))
    with played_feeds(STREET, folder, time.time):
        assert [line.failures for line in feeding.fetch(folder).feeds] == [0, 0]
        outside = open_outside(folder)
        assert outside is not None
        street = scene(STREET).recorded
        for place, series in (("bought", street.import_price), ("sold", street.export_price)):
            (issue,) = outside.archive.issues(Topic(What.PRICE, place), feeding.window(lived_copy.end_s), 2**40)
            assert [value for _, value in issue.slots()] == list(series.between(issue.start_s, issue.end_s))
            assert issue.end_s == known_until(lived_copy.end_s), "what is not published yet is not played"
        outside.close()
    assert not (folder / FILE).exists()
    (folder / FILE).write_text("feed = []\n")
    with played_feeds(STREET, folder, time.time):
        assert (folder / FILE).read_text() == "feed = []\n"


def _stopped(at_s: int) -> door_card.DoorCard:
    """Return the card of a door whose log's clock stands still."""
    clock = door_card.CardClock(log_s=at_s, system_ms=int(1_000 * time.time()), until_s=at_s)
    return door_card.DoorCard(community="street", host="127.0.0.1", port=1, clock=clock)
