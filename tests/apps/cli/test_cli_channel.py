"""A member's channel from the command line: opened, paid through, closed or taken back, by the real JSON-RPC door."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from commonwatt.adapters.chains.deployment import Deployment, Terms, deploy, keep
from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.embedded.door import rpc_app
from commonwatt.adapters.chains.embedded.methods import Methods
from commonwatt.adapters.chains.evm.words import call_data
from commonwatt.adapters.chains.rpc import embedded
from commonwatt.adapters.payments.till import till_app
from commonwatt.adapters.stores.channel_cards import ChannelCards
from commonwatt.adapters.stores.vouchers import HeldFile
from commonwatt.adapters.stores.wallet_folder import WalletFolder
from commonwatt.apps.cli.main import app
from commonwatt.apps.tilling import HELD
from commonwatt.flows.chain_ports import Contract, Reverted
from commonwatt.flows.channels.contract import Channels
from commonwatt.flows.channels.terms import Terms as ChannelTerms
from commonwatt.flows.channels.till import Till
from commonwatt.flows.payments import PaymentDesk
from commonwatt.identity.keystore import Cost
from commonwatt.model import MICRO, Corrupt, Refused, Unreachable
from commonwatt.simulator.sandbox_bank import serving
from on_chain import ALICE, BOB, CAROL, GENESIS, OPERATOR, HandClock, tell
from servers.mosquitto import free_port

sys.path.append(str(Path(__file__).parents[2] / "flows"))
from community import NAME, Community, key

pytestmark = pytest.mark.row("H3")
LONG = "a passphrase that is long"
DELAY_S = 3_600
PAYEE = BOB


class Town:
    """A community's folder, its chain behind JSON-RPC, its till behind HTTP; alice has 100 ERGON on the chain."""

    def __init__(self, folder: Path, doors: ExitStack) -> None:
        self.folder, self.clock = folder, HandClock()
        self.inside = EmbeddedChain(folder / "chain", GENESIS, clock=self.clock)
        doors.callback(self.inside.close)
        self.chain = embedded(self.inside)
        terms = Terms(origin=NAME, proposer=OPERATOR.id, guardian=OPERATOR.id, treasury=OPERATOR.id, delay_s=1)
        self.made = deploy(self.chain, OPERATOR, terms)
        places = {name: one.address for name, one in self.made.items()}
        keep(folder / "chain", Deployment(
            origin=NAME, chain_id=self.chain.chain_id, fork="cancun", block=0, contracts=places,
        ))  # fmt: skip
        self._seller(self.made["Ergon"])
        tell(self.chain, OPERATOR, self.made["Ergon"], "mint", ALICE.id, 100 * MICRO)
        port = free_port()
        self.url = doors.enter_context(serving(rpc_app(Methods(self.inside), port), port))
        self.community = Community(2)
        desk = PaymentDesk(self.community.sequencer, key("payment"), lambda: self.community.now_s)
        self.channels = Channels(self.chain, self.made["Channel"])
        self.terms = ChannelTerms(
            community=NAME,
            chain_id=self.chain.chain_id,
            contract=self.made["Channel"].address,
            payee=PAYEE.id,
            token=self.made["Ergon"].address,
            least_delay_s=DELAY_S,
        )
        self.held = doors.enter_context(HeldFile(folder / HELD))
        till = Till(self.channels, self.terms, self.held, desk, lambda who: who in self.community.members)
        self.till_port = free_port()
        self.till_app = till_app(till.take, self.terms)
        self.till = f"http://127.0.0.1:{self.till_port}"

    def serving_till(self) -> Any:
        return serving(self.till_app, self.till_port)

    def later(self, seconds: int) -> None:
        self.clock.now_s = max(self.clock.now_s, self.inside.head.timestamp) + seconds
        self.inside.make_empty_block()

    def holds(self, who: Any) -> int:
        return int(self.chain.call(self.made["Ergon"], "balanceOf", [who.id]))

    def _seller(self, ergon: Contract) -> None:
        told = (ergon.address, call_data(ergon.abi, "set_seller", (OPERATOR.id, 10**14)), bytes(32))
        tell(self.chain, OPERATOR, self.made["Timelock"], "schedule", *told)
        self.later(2)
        tell(self.chain, OPERATOR, self.made["Timelock"], "execute", *told)


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    wallet = WalletFolder(tmp_path / "wallet", cost=Cost(n=4, r=1))
    for name, one in (("alice", ALICE), ("payee", PAYEE), ("carol", CAROL)):
        wallet.add(name, one, LONG.encode())
    monkeypatch.setenv("COMMONWATT_WALLET", str(tmp_path / "wallet"))
    monkeypatch.setenv("COMMONWATT_PASSPHRASE", LONG)
    with ExitStack() as doors:
        yield Town(tmp_path / "town", doors)


def channel(*words: str | Path, says: str | None = None) -> Result:
    return CliRunner().invoke(app, ["channel", *map(str, words)], input=says)


def told(*words: str | Path) -> Any:
    done = channel(*words, "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.stdout)


def opened(town: Town, amount: str = "20", *more: str) -> str:
    with town.serving_till():
        done = told(
            "open", town.till, amount, "--for", "anna", "--from", "alice", "--yes", *at(town), *more
        )  # fmt: skip
    assert done["done"] and done["final"]
    return str(done["channel"])


def at(town: Town) -> tuple[str, ...]:
    return "--chain", town.url, "--folder", str(town.folder)


def test_a_channel_is_opened_paid_through_and_closed_in_two_transactions(town: Town) -> None:
    before, had = town.chain.head().number, town.community.ergon("anna")
    id_ = opened(town)
    with town.serving_till():
        for _ in range(3):
            done = told("pay", id_[:8], "2.50", *at(town))
        assert done == {"channel": id_, "verdict": "accepted", "total": "7500000", "left": "12500000"}
        assert "nothing waits" in channel("pay", id_, *at(town)).stdout
    (one,) = told("status", *at(town))
    assert (one["state"], one["deposit"], one["signed"], one["heard"], one["claimed"]) == (
        "open", "20000000", "7500000", "7500000", "0",
    )  # fmt: skip
    assert town.community.ergon("anna") - had == 7_500_000
    (mine,) = told("held", town.folder, "--chain", town.url)
    assert (mine["account"], mine["total"], mine["owed"]) == ("anna", "7500000", "7500000")
    done = told("close", town.folder, id_[:8], "--from", "payee", "--chain", town.url, "--yes")
    assert done["done"] and (town.holds(PAYEE), town.holds(ALICE)) == (7_500_000, 92_500_000)
    assert town.chain.head().number - before == 2, "open, and close"
    (one,) = told("status", *at(town))
    assert one["state"] == "closed"
    assert "closed" in channel("status", id_[:6], *at(town)).stdout
    with town.serving_till():
        refused = channel("pay", id_, "1", *at(town))
    assert isinstance(refused.exception, Refused) and "ends takes no more" in str(refused.exception)


def test_who_is_not_answered_goes_on_without_the_till_and_takes_the_rest_back(town: Town) -> None:
    id_ = opened(town, "10")
    with town.serving_till():
        told("pay", id_, "4", *at(town))
    lost = channel("pay", id_, "1", *at(town))
    assert isinstance(lost.exception, Unreachable), "the till is gone; what was signed is kept"
    assert told("status", *at(town))[0]["signed"] == "5000000"
    assert told("status", *at(town))[0]["heard"] == "4000000"
    early = channel("finish", id_, "--yes", *at(town))
    assert isinstance(early.exception, Reverted) and "too early" in str(early.exception)
    assert told("withdraw", id_, "--yes", *at(town))["done"]
    (one,) = told("status", *at(town))
    assert one["state"] == "ending" or one["finish_at_s"] < 2_000_000_000, "by a clock that a test moves"
    assert one["finish_at_s"] >= town.clock.now_s + DELAY_S - 60
    found = told("watch", town.folder, "--once", "--from", "carol", "--chain", town.url)
    assert [row["channel"] for row in found] == [id_]
    assert town.holds(PAYEE) == 4_000_000, "what the till was shown is claimed in time, whoever claims"
    town.later(DELAY_S + 60)
    assert told("finish", id_, "--from", "carol", "--yes", *at(town))["done"]
    assert town.holds(ALICE) == 96_000_000
    assert told("status", *at(town))[0]["state"] == "closed"


def test_a_till_that_comes_back_is_shown_what_was_signed_meanwhile(town: Town) -> None:
    id_ = opened(town)
    for _ in range(2):
        assert isinstance(channel("pay", id_, "1", *at(town)).exception, Unreachable)
    with town.serving_till():
        assert told("pay", id_, *at(town))["total"] == "2000000"


def test_more_is_added_and_batches_are_claimed_once(town: Town) -> None:
    id_ = opened(town, "2")
    with town.serving_till():
        short = channel("pay", id_, "3", *at(town))
        assert isinstance(short.exception, Refused) and "add to it" in str(short.exception)
        assert told("add", id_, "5", "--yes", *at(town))["done"]
        assert told("pay", id_, "3", *at(town))["total"] == "3000000"
    assert told("claim", town.folder, "--from", "carol", "--chain", town.url)["paid"] == 3_000_000
    again = channel("claim", town.folder, "--from", "carol", "--chain", town.url)
    assert "1 channels looked at, 0 claimed" in again.stdout
    assert town.holds(PAYEE) == 3_000_000


def test_whoever_opens_sees_what_is_signed_and_can_say_no(town: Town) -> None:
    words = ("open", town.till, "20", "--for", "anna", "--from", "alice", *at(town))
    with town.serving_till():
        no = channel(*words, says="n\n")
        assert no.exit_code == 1 and "deposit 20.000000 ERGON to pay tiny for anna" in no.output
        assert "3,600 s to claim" in no.output and "gas, 0 coins" in no.output
        assert told("status", *at(town)) == [] and LONG not in no.output
        yes = channel(*words, says="y\n")
        assert yes.exit_code == 0 and "final; " in yes.output, yes.output
        twice = channel(*words, "--yes")
        assert isinstance(twice.exception, Refused) and "opened once" in str(twice.exception)
        another = channel(*words, "--yes", "--number", "1")
    assert another.exit_code == 0
    assert len(told("status", *at(town))) == 2


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        (("open", "TILL", "101", "--for", "anna", "--from", "alice", "--yes"), Reverted, "more than is held"),
        (("open", "TILL", "0", "--for", "anna", "--from", "alice", "--yes"), Refused, "more than nothing"),
        (("open", "TILL", "1", "--for", "anna", "--from", "alice", "--delay-s", "5"), Refused, "time to claim"),
        (("open", "http://till.example", "1", "--for", "anna", "--from", "alice"), Refused, "by https"),
        (("open", "https://127.0.0.1:9", "1", "--for", "anna", "--from", "alice"), Unreachable, "no answer"),
        (("open", "TILL", "1", "--for", "anna"), Refused, "say which key"),
        (("pay", "abcdef", "1"), Refused, "id that begins so"),
        (("pay", "a*", "1"), Refused, "first digits"),
        (("withdraw", "abcdef"), Refused, "id that begins so"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words_and_keeps_nothing(
    town: Town, words: tuple[str, ...], kind: type[Exception], says: str
) -> None:
    with town.serving_till():
        done = channel(*(town.till if one == "TILL" else one for one in words), *at(town))
    assert isinstance(done.exception, kind) and says in str(done.exception), (done.output, done.exception)
    assert told("status", *at(town)) == []


def test_a_till_of_another_chain_or_token_opens_nothing(town: Town) -> None:
    town.terms = ChannelTerms(**{**vars_of(town.terms), "token": town.made["Tsl"].address})
    with serving(till_app(lambda payment: None, town.terms), town.till_port):  # type: ignore[arg-type,return-value]
        done = channel("open", town.till, "1", "--for", "anna", "--from", "alice", "--yes", *at(town))
    assert isinstance(done.exception, Refused) and "in its ERGON" in str(done.exception)


def test_a_gateway_s_key_signs_where_it_is_named_and_no_other(town: Town) -> None:
    id_ = opened(town, "5", "--signer", CAROL.id)
    (card,) = ChannelCards(town.folder.parent / "wallet" / "channels").kept()
    assert (card.channel, card.signer, card.payer) == (id_, CAROL.id, ALICE.id)
    with town.serving_till():
        assert told("pay", id_, "1", *at(town))["verdict"] == "accepted"
        assert told("close", town.folder, id_, "--from", "payee", "--chain", town.url, "--yes")["done"]
    wrong = channel("close", town.folder, id_, "--from", "carol", "--chain", town.url, "--yes")
    assert isinstance(wrong.exception, Refused) and "the payee closes" in str(wrong.exception)


def test_a_wallet_whose_book_was_lost_signs_nothing_that_pays_nothing(town: Town) -> None:
    id_ = opened(town)
    with town.serving_till():
        told("pay", id_, "5", *at(town))
        folder = town.folder.parent / "wallet" / "channels"
        for path in folder.glob("*.sqlite*"):
            path.unlink()
        lost = channel("pay", id_, "1", *at(town))
    assert isinstance(lost.exception, Refused) and "open another channel" in str(lost.exception)


def test_a_wallet_that_lost_its_cards_knows_an_open_channel_again_by_asking_to_open_it(town: Town) -> None:
    id_ = opened(town)
    (town.folder.parent / "wallet" / "channels" / f"{id_}.json").unlink()
    assert told("status", *at(town)) == []
    with town.serving_till():
        again = channel("open", town.till, "20", "--for", "anna", "--from", "alice", "--yes", *at(town))
    assert isinstance(again.exception, Refused) and "opened once" in str(again.exception)
    assert [one["channel"] for one in told("status", *at(town))] == [id_]
    assert told("withdraw", id_, "--yes", *at(town))["done"]


def test_a_card_that_is_damaged_or_open_to_others_is_told(town: Town) -> None:
    id_ = opened(town)
    path = town.folder.parent / "wallet" / "channels" / f"{id_}.json"
    assert path.stat().st_mode & 0o077 == 0
    content = path.read_text()
    path.write_text(content.replace(id_, "ab" * 32))
    assert isinstance(channel("status", *at(town)).exception, Corrupt)
    path.write_text(content[:-20])
    assert isinstance(channel("status", *at(town)).exception, Corrupt)
    path.chmod(0o644)
    assert isinstance(channel("status", *at(town)).exception, Refused)


def test_a_folder_whose_till_took_nothing_is_told_so(town: Town, tmp_path: Path) -> None:
    assert "no vouchers are held" in channel("held", town.folder, "--chain", town.url).stdout
    assert "no vouchers are held" in channel("claim", town.folder, "--chain", town.url, "--from", "carol").stdout
    nobody = channel("watch", town.folder, "--once", "--chain", town.url, "--from", "carol")
    assert isinstance(nobody.exception, Refused) and "vouchers that are held" in str(nobody.exception)
    (tmp_path / "empty").mkdir()
    none = channel("held", tmp_path / "empty", "--chain", str(town.folder))
    assert isinstance(none.exception, Refused)


def vars_of(terms: ChannelTerms) -> dict[str, Any]:
    return {name: getattr(terms, name) for name in terms.__slots__}
