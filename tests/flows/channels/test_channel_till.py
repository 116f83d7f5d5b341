"""A till takes what is good, once, whatever breaks between the voucher and the log."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import httpx
import pytest
from community import key
from till_town import Town, serving

from channel_hall import DELAY_S, PAYEE, PAYER, SIGNER, STRANGER
from commonwatt.adapters.payments.shown import written
from commonwatt.adapters.payments.teller import HttpTeller
from commonwatt.adapters.payments.till import MOST_BYTES
from commonwatt.flows.channels.contract import Channels
from commonwatt.flows.channels.ports import Answer
from commonwatt.flows.channels.purse import Channel
from commonwatt.flows.rulebook.tokens.wallet_bodies import PurchaseBody
from commonwatt.model import Outcome, Refused, Unreachable
from commonwatt.tokens.channel import Standing, Verdict

pytestmark = pytest.mark.row("H3")


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_a_channel_lives_by_two_transactions_however_often_it_pays(town: Town) -> None:
    """Open by a permit, twenty signed payments over HTTP, close with the last voucher; counted on the chain."""
    hall, began, had = town.hall, town.hall.chain.head().number, town.ergon()
    before = hall.holds(PAYER)
    channel = town.open(deposit=5_000_000)
    with serving(town.app()) as url, HttpTeller(url) as teller:
        assert teller.terms() == town.terms
        purse = town.purse(channel, teller)
        for cycle in range(1, 21):
            purse.owe(20_000, cycle)
            assert purse.pay() == Answer(verdict=Verdict.ACCEPTED, total=20_000 * cycle)
            assert purse.pay() is None, "once answered, nothing is left to show"
    assert town.ergon() - had == 400_000
    held = town.held.of(channel.id)
    assert held is not None
    hall.done(town.channels.close(PAYEE, held.config, held.voucher))
    blocks = [hall.embedded.block(number) for number in range(began + 1, hall.chain.head().number + 1)]
    assert [len(block.txs) for block in blocks if block is not None] == [1, 1], "open, and close"
    assert (hall.holds(PAYEE), before - hall.holds(PAYER)) == (400_000, 400_000)
    assert town.town.booked(), "a replay reaches the same roots"


def test_a_repeat_is_answered_and_credited_once(town: Town) -> None:
    channel, had = town.open(), town.ergon()
    assert [town.show(channel, 700).verdict for _ in range(3)] == [Verdict.ACCEPTED, *[Verdict.SEEN_BEFORE] * 2]
    assert town.show(channel, 300) == Answer(verdict=Verdict.SEEN_BEFORE, total=700)
    assert town.ergon() - had == 700


def test_a_kill_between_keeping_and_crediting_credits_once(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log cannot be written; or it was, and the till was killed before it noted that."""
    channel, had = town.open(), town.ergon()

    def closed(body: object) -> Outcome:
        raise Refused("the log cannot be written")

    with monkeypatch.context() as patch:
        patch.setattr(town.desk, "submit", closed)
        with pytest.raises(Refused):
            town.show(channel, 700)
        held = town.held.of(channel.id)
        assert held is not None
        assert (held.total, held.credited) == (700, 0)
    town.held.close()
    town.start()
    assert (town.till.catch_up(), town.till.catch_up()) == (1, 0)
    assert town.ergon() - had == 700
    full = town.desk.submit

    def killed(body: PurchaseBody) -> Outcome:
        full(body)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(town.desk, "submit", killed)
        with pytest.raises(KeyboardInterrupt):
            town.show(channel, 900)
    assert town.show(channel, 1_000) == Answer(verdict=Verdict.ACCEPTED, total=1_000)
    assert town.ergon() - had == 1_000, "what was booked before the kill is not booked again"
    assert town.town.booked(), "a replay reaches the same roots"


def test_what_the_log_does_not_take_of_one_payer_holds_up_no_other(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    channels, had, log = [town.open(number=number) for number in range(3)], town.ergon(), town.desk.submit

    def closed(body: object) -> Outcome:
        raise Refused("the log cannot be written")

    with monkeypatch.context() as patch:
        patch.setattr(town.desk, "submit", closed)
        for channel in channels:
            with pytest.raises(Refused):
                town.show(channel, 700)
    first = min(channel.id for channel in channels)
    monkeypatch.setattr(town.desk, "submit", lambda body: Outcome.OVER_LIMIT if first in body.reference else log(body))
    with pytest.raises(Refused, match="what was paid is credited"):
        town.till.catch_up()
    assert town.ergon() - had == 1_400


def test_a_strangers_question_to_the_chain_holds_nobody_up(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can sign vouchers of channels that do not exist, and the node is slow."""
    channel, nowhere, final = town.open(), town.channel(number=7), Channels.final
    asked, go_on = Event(), Event()

    def slow(channels: Channels, id_: str) -> Standing:
        if id_ == nowhere.id:
            asked.set()
            assert go_on.wait(20)
        return final(channels, id_)

    monkeypatch.setattr(Channels, "final", slow)
    with ThreadPoolExecutor(2) as threads:
        stranger = threads.submit(town.show, nowhere, 10)
        assert asked.wait(20)
        honest = threads.submit(town.show, channel, 700)
        try:
            assert honest.result(20).verdict is Verdict.ACCEPTED
        finally:
            go_on.set()
        assert stranger.result(20).verdict is Verdict.NOT_OPEN


def test_a_full_disk_accepts_nothing(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    channel, had = town.open(), town.ergon()

    def full(_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(town.held, "keep", full)
        with pytest.raises(OSError, match="no space"):
            town.show(channel, 700)
        with serving(town.app()) as url, HttpTeller(url) as teller, pytest.raises(Unreachable):
            teller.show(channel.payment(town.sign(channel.id, 700)))
    assert (town.held.of(channel.id), town.ergon()) == (None, had)


Spoil = Callable[[Town, Channel], Answer]
SPOILT: dict[str, tuple[Verdict, Spoil]] = {
    "above the deposit": (Verdict.ABOVE_DEPOSIT, lambda town, it: town.show(it, 5_000_001)),
    "a channel that is not open": (Verdict.NOT_OPEN, lambda town, it: town.show(town.channel(number=7), 10)),
    "somebody else's signature": (
        Verdict.NOT_SIGNED,
        lambda town, it: town.till.take(it.payment(town.channels.sign(STRANGER, it.id, 10))),
    ),
    "credited to somebody else": (
        Verdict.NOT_OURS,
        lambda town, it: town.till.take(replace(it.payment(town.sign(it.id, 10)), account="ben")),
    ),
    "an account that nobody has": (
        Verdict.NOT_OURS,
        lambda town, it: town.show(town.open(account="nobody", number=3), 10),
    ),
    "no time to claim": (Verdict.TOO_SHORT, lambda town, it: town.show(town.open(number=4, delay_s=DELAY_S - 1), 10)),
    "a withdrawal has begun": (
        Verdict.ENDING,
        lambda town, it: (town.hall.done(town.channels.withdraw(PAYER, town.config())), town.show(it, 10))[1],
    ),
    "closed": (
        Verdict.ENDING,
        lambda town, it: (town.hall.done(town.channels.close(PAYEE, town.config(), None)), town.show(it, 10))[1],
    ),
}


@pytest.mark.parametrize("how", SPOILT)
def test_what_is_not_money_is_not_taken(town: Town, how: str) -> None:
    verdict, spoil = SPOILT[how]
    channel, had = town.open(), town.ergon()
    assert spoil(town, channel) == Answer(verdict=verdict, total=0)
    assert (town.ergon(), town.held.after("", 9)) == (had, [])


def test_garbage_at_the_door_is_refused_and_harms_nothing(town: Town) -> None:
    channel = town.open()
    good = written(channel.payment(town.sign(channel.id, 10)))
    with serving(town.app()) as url:
        at = f"{url}/payments/vouchers"
        for content in (b"", b"{}", good[:-1], good.replace(b'"total":10', b'"total":-1'), b"[" * 4_000, b"\xff"):
            assert httpx.post(at, content=content).status_code == 400
        assert httpx.post(at, content=good + b" " * MOST_BYTES).status_code == 413
        assert httpx.post(at, content=good).json() == {"verdict": "accepted", "total": 10}


def test_another_key_may_sign_for_a_gateway_whose_own_no_contract_checks(town: Town) -> None:
    """The signer in the config is a delegated key: the payer's own signs no voucher of this channel."""
    channel = town.open()
    assert PAYER.id != SIGNER.id
    assert town.till.take(channel.payment(town.channels.sign(PAYER, channel.id, 10))).verdict is Verdict.NOT_SIGNED
    assert town.show(channel, 10).verdict is Verdict.ACCEPTED
    assert key("gw-anna").id not in (PAYER.id, SIGNER.id)
