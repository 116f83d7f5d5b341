"""From the log to somebody's phone: each thing once, in their language, over restarts, and only theirs."""

import asyncio
import base64
import hashlib
import hmac
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import msgspec
import pytest
from lived import LivedStreet, asked, follow
from told import ME, ORIGIN, Clock, Opened, Outside, opened, told_street, until

from commonwatt.adapters.devices.mqtt.client import Login, broker
from commonwatt.apps import letter_box, noticing
from commonwatt.apps.demanding import demand
from commonwatt.apps.notice_ways import PASSWORD, Terms, server_of, terms_of
from commonwatt.apps.sandbox_till import SandboxTill
from commonwatt.apps.wiring import open_people
from commonwatt.flows.entrance import recovering, sitting
from commonwatt.flows.entrance.records import Way
from commonwatt.flows.gateway.letters import Called
from commonwatt.flows.notices.records import Fate
from commonwatt.identity.access import Scope
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import AccountId, AssetId, Corrupt, InvalidValue, Kind, Outcome, Refused
from doorway import HERE
from servers.mosquitto import Mosquitto

MINE = Seat(person="anna", role=Role.MEMBER, account=ME)
STORE = AssetId("battery-01")
BROWSER = {
    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
}
"""Of the example in RFC 8291."""


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for seconds here."""
    monkeypatch.setattr(noticing, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(letter_box, "LOOK_EVERY_S", 0.05)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as one:
        yield one


@pytest.fixture(scope="module")
def app(runner: asyncio.Runner, lived: LivedStreet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """An app whose door is closed, for what changes nothing in the log."""
    folder = tmp_path_factory.mktemp("told") / "street"
    shutil.copytree(lived.folder, folder)
    found = opened(replace(lived, folder=folder), None)
    yield runner.run(found.__aenter__())
    runner.run(found.__aexit__(None, None, None))


def paid(there: Outside) -> list[int]:
    """Return the sums that a program was told of."""
    return [one["facts"]["amount_micro"] for one in there.posted("/hook") if one["type"] == "money_in"]


def all_arrived(app: Opened) -> bool:
    return not any(one.fate is Fate.WAITING for one in app.hall.people.parcels.all())


async def pays(app: Opened, amount_micro: int = 5_000_000) -> None:
    """Pay in, as a member does, and let the app look."""
    await SandboxTill(app.community, "GBP").pay(MINE, ME, amount_micro)
    await app.noticing.look()


async def is_asked(app: Opened) -> None:
    """Let a plan wait for the member's word."""
    now_s = app.community.now_s()
    ask, plan = asked(STORE, now_s)
    done = [
        await app.community.send(ME, Kind.CONSENT, ask),
        await app.community.send(AccountId("planner"), Kind.SCHEDULE, plan),
    ]
    assert [one.outcome for one in done] == [Outcome.BOOKED, Outcome.WAITING]
    await app.noticing.look()


@pytest.mark.row("X3")
def test_a_home_is_told_on_every_channel_of_what_happens_and_each_thing_once(
    lived_copy: LivedStreet, mosquitto: Mosquitto
) -> None:
    at_home = list[str]()
    theirs = Login(host="127.0.0.1", port=mosquitto.port, status_topic="home-assistant/status")

    async def story() -> None:
        async with (
            told_street(lived_copy, mosquitto.port) as (there, port),
            opened(lived_copy, port) as app,
            broker(theirs) as assistant,
        ):
            await assistant.listen(
                f"commonwatt/notices/{ME}", lambda one: at_home.append(json.loads(one.payload)["event_type"])
            )
            await until(lambda: assistant.connected)
            anna = app.person("anna", addresses=("anna@sun.example",))
            secret = app.sits(anna)
            made = await app.ask("POST", "/webhooks", secret, {"url": there.listener.url("/hook")})
            assert made.status_code == 201, made.text
            mail = await app.ask("POST", "/channels/mail", secret, {"address": "anna@sun.example"})
            assert mail.status_code == 201, mail.text
            language = await app.ask("PUT", "/notifications/wishes", secret, {"language": "de", "off": ["access"]})
            assert language.status_code == 200, language.text
            assert (await app.ask("GET", "/notifications/offered", secret)).json()["homes"] == [ME]
            assert (await app.ask("POST", "/channels/home-assistant", secret, {"account": ME})).status_code == 201
            other, bert = {"url": there.listener.url("/bert")}, app.sits(app.person("bert", "member-02"))
            assert (await app.ask("POST", "/webhooks", bert, other)).is_success
            assert (await app.ask("POST", "/channels/home-assistant", bert, {"account": ME})).status_code == 404
            channel = made.json()["channel"]["id"]
            assert (await app.ask("POST", f"/channels/{channel}/try", secret)).status_code == 204
            await app.noticing.look()
            await is_asked(app)
            await pays(app)
            demand(lived_copy.folder, Called(id="d1", start_s=lived_copy.end_s, end_s=lived_copy.end_s + 900), 0)
            for _ in range(2):
                await app.noticing.sweep()
                await app.noticing.look()
            app.clock.passes(5)
            app.sits(anna)
            await app.noticing.look()
            await until(lambda: len(there.types()) >= 5 and len(there.office.letters) >= 5)
            await until(lambda: all_arrived(app))
            shown = (await app.ask("GET", "/notifications", secret)).json()

        assert sorted(there.types()) == ["decide", "demand", "money_in", "signed_in", "trial"]
        assert sorted(at_home) == ["decide", "demand", "money_in"], (
            "others listen there, so nothing of whose access it is"
        )
        assert there.types("/bert") == ["demand"], "nothing of what is anothers"
        key = base64.b64decode(made.json()["secret"].removeprefix("whsec_"))
        for one in there.listener.posted:
            if "/bert" in one.line:
                continue
            signed = f"{one.headers['webhook-id']}.{one.headers['webhook-timestamp']}.".encode() + one.body
            mac = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
            assert one.headers["webhook-signature"] == f"v1,{mac}"
        (decide,) = (one for one in there.posted("/hook") if one["type"] == "decide")
        assert decide["account"] == ME and decide["facts"]["asset"] == STORE and decide["href"] == f"{ORIGIN}/schedule"
        subjects = {str(one.message["Subject"]) for one in there.office.letters}
        assert {"Ein Plan wartet auf dein Wort", "Geld ist eingegangen", "DEMAND ist gerufen"} <= subjects
        assert {fate["fate"] for one in shown for fate in one["fates"]} == {"sent"}

    asyncio.run(story())


def test_a_restart_tells_nothing_twice_and_loses_nothing(lived_copy: LivedStreet) -> None:
    async def story() -> None:
        async with told_street(lived_copy) as (there, port):
            async with opened(lived_copy, port) as app:
                secret = app.sits(app.person("anna"))
                await app.ask("POST", "/webhooks", secret, {"url": there.listener.url("/hook")})
                await app.noticing.look()
                await pays(app, 1_000_000)
                await until(lambda: paid(there) == [1_000_000])
                there.listener.answers = [b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n"]
                await pays(app, 2_000_000)
                await until(lambda: any(one.tries for one in app.hall.people.parcels.all()))
            async with follow(lived_copy, port) as community:  # while the app is away
                await SandboxTill(community, "GBP").pay(MINE, ME, 3_000_000)
            with open_people(lived_copy.folder) as people:
                (waits,) = (one for one in people.parcels.all() if one.fate is Fate.WAITING)
            async with opened(lived_copy, port, Clock(ahead_s=60)) as app:
                await app.noticing.look()
                await until(lambda: len(paid(there)) == 4)
                await app.noticing.sweep()
                await app.noticing.look()
                await until(lambda: all_arrived(app))
        assert sorted(paid(there)) == [1_000_000, 2_000_000, 2_000_000, 3_000_000]
        again = {one["id"] for one in there.posted("/hook") if one["facts"].get("amount_micro") == 2_000_000}
        assert again == {waits.id}, "what was refused came again, under its own id"

    asyncio.run(story())


def test_a_program_with_a_token_is_told_of_its_account_until_the_token_is_revoked(lived_copy: LivedStreet) -> None:
    async def story() -> None:
        async with told_street(lived_copy) as (there, port), opened(lived_copy, port) as app:
            anna = app.person("anna")
            here = sitting.sit(app.hall, app.sits(anna), HERE)
            assert here is not None
            token, kept = sitting.make_token(app.hall, here, "script", frozenset({Scope.LISTEN}), 600, HERE)
            other, _ = sitting.make_token(app.hall, here, "other", frozenset({Scope.LISTEN, Scope.READ}), 600, HERE)
            made = await app.ask("POST", "/webhooks", told={"url": there.listener.url("/hook")}, token=token)
            assert made.status_code == 201, made.text
            id = made.json()["channel"]["id"]
            assert (await app.ask("GET", "/webhooks", token=other)).json() == []
            for method, path in (("DELETE", f"/webhooks/{id}"), ("POST", f"/webhooks/{id}/secret")):
                assert (await app.ask(method, path, token=other)).status_code == 404
            for path in ("/channels", "/notifications", "/notifications/wishes"):
                assert (await app.ask("GET", path, token=token)).status_code == 403
            await app.noticing.look()
            await pays(app)
            app.sits(anna)
            await app.noticing.look()
            await until(there.types)
            sitting.revoke_token(app.hall, here, kept.id, HERE)
            await pays(app)
            assert there.types() == ["money_in"] and app.hall.people.channels.of(anna.id) == []

    asyncio.run(story())


def test_a_recoverys_letter_leaves_and_its_link_ends_it_without_signing_in(lived_copy: LivedStreet) -> None:
    async def story() -> None:
        async with told_street(lived_copy) as (there, port):
            async with opened(lived_copy, port) as app:
                app.person("anna", addresses=("anna@sun.example",))
                await until(lambda: len(there.office.letters) == 1)
                there.office.busy = 1
                begun, _ = recovering.begin(app.hall, "anna", "desk")
                await until(lambda: there.office.busy == 0)
                assert len(there.office.letters) == 1, "it is tried again, but not at once"
            async with opened(lived_copy, port) as app:
                await until(lambda: len(there.office.letters) == 2)
                (addresses, letter) = (str(one.message.get_content()) for one in there.office.letters)
                assert "addresses" in addresses and begun.veto_hash not in letter
                veto = letter.partition(f"{ORIGIN}/veto#")[2].split()[0]
                assert recovering.standing(app.hall, begun).value == "waits"
                told = await app.ask("POST", "/../sign-in/recovery/veto", told={"secret": veto})
                assert told.status_code == 204, told.text
                ended = app.hall.people.recoveries.get(begun.id)
                assert ended is not None and recovering.standing(app.hall, ended.recovery).value == "vetoed"

    asyncio.run(story())


def test_what_a_channel_is_stays_its_owners(app: Opened, runner: asyncio.Runner) -> None:
    mine, theirs = app.sits(app.person("anna")), app.sits(app.person("bert", "member-02"))

    def ask(method: str, path: str, secret: str, told: object = None) -> httpx.Response:
        return runner.run(app.ask(method, path, secret, told))

    made = ask("POST", "/webhooks", mine, {"url": "https://127.0.0.1/hook", "label": "script"}).json()
    id, secret = made["channel"]["id"], made["secret"]
    told = [ask("GET", path, mine).text for path in ("/channels", "/webhooks", "/notifications")]
    assert id in told[0] and not any(secret in one for one in told), "shown once"
    for method, path in (
        ("DELETE", f"/channels/{id}"),
        ("POST", f"/channels/{id}/try"),
        ("DELETE", f"/webhooks/{id}"),
        ("POST", f"/webhooks/{id}/secret"),
    ):
        assert ask(method, path, theirs).status_code == 404, path
    assert ask("POST", f"/channels/{id}/try", mine).status_code == 204
    assert ask("POST", f"/channels/{id}/try", mine).status_code == 403, "too soon"
    assert ask("POST", f"/webhooks/{id}/secret", mine).json()["secret"] != secret
    assert ask("DELETE", f"/webhooks/{id}", mine).status_code == 204
    assert ask("GET", "/channels", mine).json() == []


@pytest.mark.parametrize(
    ("path", "told", "status"),
    [
        ("/webhooks", {"url": "http://hooks.example/"}, 422),
        ("/webhooks", {"url": "https://user:word@hooks.example/"}, 422),
        ("/channels/mail", {"address": "bert@sun.example"}, 403),
        ("/channels/home-assistant", {"account": ME}, 404),
        ("/channels/push", {"endpoint": "https://push.example/1", "p256dh": "x", "auth": "y"}, 422),
    ],
)
def test_what_is_no_channel_of_somebodys_is_refused(
    app: Opened, runner: asyncio.Runner, path: str, told: dict[str, str], status: int
) -> None:
    anna = app.person("anna", addresses=("anna@sun.example",))
    assert runner.run(app.ask("POST", path, app.sits(anna), told)).status_code == status
    assert app.hall.people.channels.of(anna.id) == []


def test_who_is_only_about_to_set_up_a_way_in_opens_no_ear_into_a_home(app: Opened, runner: asyncio.Runner) -> None:
    secret = app.sits(app.person("anna"), Way.PRINTED_CODE)
    for path, told in (
        ("/webhooks", {"url": "https://hooks.example/"}),
        ("/channels/push", {"endpoint": "https://push.example/1", **BROWSER}),
    ):
        assert runner.run(app.ask("POST", path, secret, told)).status_code == 403
    assert runner.run(app.ask("PUT", "/notifications/wishes", secret, {})).status_code == 403


def test_a_screen_left_open_lets_no_program_listen(app: Opened, runner: asyncio.Runner) -> None:
    secret = app.sits(app.person("anna"))
    app.clock.passes(16 * 60)
    told = runner.run(app.ask("POST", "/webhooks", secret, {"url": "https://hooks.example/"}))
    assert told.status_code == 403 and "sign in once more" in told.text


def test_wishes_are_kept_as_they_were_said_and_none_that_make_no_sense(app: Opened, runner: asyncio.Runner) -> None:
    secret = app.sits(app.person("anna"))
    wanted = {
        "language": "es",
        "zone": "Europe/Madrid",
        "quiet": {"begin": "22:30", "end": "06:00"},
        "off": ["bill"],
        "through": ["demand", "signed_in"],
    }
    assert runner.run(app.ask("PUT", "/notifications/wishes", secret, wanted)).status_code == 200
    for wrong in (
        {"language": "xx"},
        {"zone": "Mars/Base"},
        {"quiet": {"begin": "25:00", "end": "06:00"}},
        {"quiet": {"begin": "06:00", "end": "06:00"}},
        {"off": ["weather"]},
    ):
        assert runner.run(app.ask("PUT", "/notifications/wishes", secret, wrong)).status_code == 422, wrong
    assert runner.run(app.ask("GET", "/notifications/wishes", secret)).json() == wanted


def test_a_browser_subscribes_with_the_key_that_is_offered(app: Opened, runner: asyncio.Runner) -> None:
    secret = app.sits(app.person("dora", "member-04"))
    offered = runner.run(app.ask("GET", "/notifications/offered", secret)).json()
    assert len(offered["push_key"]) == 87 and offered["mail"] is False and offered["homes"] == []
    told = {"endpoint": "https://push.example/secret", **BROWSER}
    made = runner.run(app.ask("POST", "/channels/push", secret, told, language="es-MX,es;q=0.9"))
    assert runner.run(app.ask("GET", "/notifications/wishes", secret)).json()["language"] == "es", (
        "as they asked for it"
    )
    assert made.status_code == 201 and "push.example" not in made.text, "who knows the address could send there"
    assert runner.run(app.ask("POST", "/channels/push", secret, told)).status_code == 403, "once is enough"
    assert runner.run(app.ask("DELETE", f"/channels/{made.json()['id']}", secret)).status_code == 204


def test_what_goes_on_in_a_home_is_told_as_it_begins(app: Opened, runner: asyncio.Runner) -> None:
    carla, home = app.person("carla", "member-03"), AccountId("member-03")
    state, chronicle = app.community.state, app.community.chronicle

    def told() -> list[tuple[str, object]]:
        runner.run(app.noticing.sweep())
        kept = app.hall.people.told.of(carla.id)
        return sorted((one.topic.value, one.facts.get("asset", "")) for one in kept if one.account == home)

    made = runner.run(app.ask("POST", "/webhooks", app.sits(carla), {"url": "https://127.0.0.1/hook"}))
    assert made.status_code == 201 and told() == []
    chronicle._db.execute(
        "DELETE FROM reading WHERE asset = 'battery-03' AND slot_s > ?", (app.community.told_s - 7_200,)
    )
    assert told() == [("silent", "battery-03")]
    assert state.wallets.low is not None
    state.wallets.low[2].look(home, 0)
    assert told() == told() == [("money_low", ""), ("silent", "battery-03")]
    gateway = state.assets[AssetId("battery-03")].gateway
    chronicle._db.execute(
        "INSERT INTO leaf SELECT max(position) + 1, max(stamped_s), 'reading_batch', ?, 'key', 1, 'SET_ASIDE',"
        " NULL, NULL, x'' FROM leaf",
        (gateway,),
    )
    assert ("doubted", "battery-03") in told()


def test_terms_that_make_no_sense_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert terms_of(tmp_path) == Terms()
    for text in ("allowed_hosts = 5", "[mail]\nhost = 'x'", "what = 1", "[mail", "allowed_hosts = ['a b']"):
        (tmp_path / "notices.toml").write_text(text)
        with pytest.raises(InvalidValue):
            terms_of(tmp_path)
    (tmp_path / "keys").mkdir()
    (tmp_path / "notices.toml").write_text(
        "[mail]\nhost = 'post.example'\nsender = 'a@b.example'\nuser = 'u'\npassword_file = 'post.txt'\n"
    )
    mail = terms_of(tmp_path).mail
    assert mail is not None
    path = tmp_path / "keys" / "post.txt"
    path.write_text("word\n")
    path.chmod(0o644)
    with pytest.raises(Refused, match="chmod 600"):
        server_of(tmp_path, mail)
    path.chmod(0o600)
    assert server_of(tmp_path, mail).password == "word"
    outside = msgspec.structs.replace(mail, password_file="../post.txt")
    with pytest.raises(Corrupt):
        server_of(tmp_path, outside)
    unkept = msgspec.structs.replace(mail, password_file="")
    with pytest.raises(Refused, match="has a password"):
        server_of(tmp_path, unkept)
    monkeypatch.setenv(PASSWORD, "from the environment")
    assert server_of(tmp_path, unkept).password == "from the environment"
    with pytest.raises(InvalidValue):
        server_of(tmp_path, msgspec.structs.replace(mail, sender="nobody"))
