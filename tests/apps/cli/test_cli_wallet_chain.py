"""Tokens in an ordinary wallet (row E11): received, sent, allowed, taken and looked back on, on the embedded chain."""

import json
import os
import re
import shlex
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from lived import LivedStreet
from typer.testing import CliRunner, Result

from commonwatt.adapters.chains.deployment import Deployment, Terms, deploy, keep
from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.embedded.door import rpc_app
from commonwatt.adapters.chains.embedded.methods import Methods
from commonwatt.adapters.chains.embedded.rules import Genesis
from commonwatt.adapters.chains.rpc import embedded
from commonwatt.adapters.stores.wallet_folder import WalletFolder
from commonwatt.apps import chain_terms, walleting
from commonwatt.apps.cli.main import app
from commonwatt.flows.chain_ports import Reverted
from commonwatt.identity.keystore import Cost
from commonwatt.identity.signing_in.wallet import with_checksum
from commonwatt.model import InvalidValue, Refused, Unreachable
from on_chain import ALICE, BOB, GENESIS, OPERATOR
from servers.softhsm import SoftToken

pytestmark = pytest.mark.row("E11")

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "wallet.md"
LONG = "a passphrase that is long"
TSL = ("--commodity", "tsl_micro")
A, B = with_checksum(ALICE.id), with_checksum(BOB.id)


@pytest.fixture(scope="module")
def hill(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Deployment]:
    """A community's folder with an embedded chain and its contracts; all TSL are the treasury's."""
    folder = tmp_path_factory.mktemp("wallet-chain") / "hill"
    return folder, founded(folder)


def founded(folder: Path) -> Deployment:
    inside = EmbeddedChain(folder / "chain", GENESIS)
    try:
        chain = embedded(inside)
        terms = Terms.of("hill", OPERATOR.id)
        places = {name: one.address for name, one in deploy(chain, OPERATOR, terms).items()}
        made = Deployment(origin="hill", chain_id=chain.chain_id, fork="cancun", block=0, contracts=places)
    finally:
        inside.close()
    keep(folder / "chain", made)
    return made


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wallet of three: whoever has all TSL, alice and bob."""
    folder = tmp_path_factory.mktemp("wallet-keys") / "wallet"
    made = WalletFolder(folder, cost=Cost(n=4, r=1))
    for name, key in (("treasury", OPERATOR), ("alice", ALICE), ("bob", BOB)):
        made.add(name, key, LONG.encode())
    return folder


@pytest.fixture(autouse=True)
def environment(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMONWATT_WALLET", str(keys))
    monkeypatch.setenv("COMMONWATT_PASSPHRASE", LONG)


def wallet(*words: str | Path, says: str | None = None) -> Result:
    return CliRunner().invoke(app, ["wallet", *map(str, words)], input=says)


def told(*words: str | Path) -> Any:
    done = wallet(*words, "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.stdout)


def held(who: str, folder: Path, commodity: str = "tsl_micro") -> int:
    tokens = told("balances", who, "--chain", folder)["tokens"]
    (found,) = (one for one in tokens if one["commodity"] == commodity)
    assert found["amount"] == found["final"], "whatever an embedded chain has taken stays"
    return int(found["amount"])


def test_a_member_receives_sends_allows_and_another_takes_and_all_is_looked_back_on(
    hill: tuple[Path, Deployment],
) -> None:
    folder, made = hill
    at = ("--chain", folder, "--yes", *TSL)
    done = told("send", "alice", "5", "--from", "treasury", *at)
    assert (done["done"], done["final"]) == (True, True)
    told("send", B, "1.5", "--from", "alice", *at)
    told("approve", "bob", "2", "--from", "alice", *at)
    assert told("balances", "alice", "--chain", folder, "--spender", "bob")["tokens"][2]["allowed"] == "2000000"
    told("send", "bob", "0.5", "--from", "bob", "--owner", "alice", *at)
    assert (held("alice", folder), held("bob", folder)) == (3_000_000, 2_000_000)
    moves = told("history", "alice", "--chain", folder)
    assert [(one["what"], one["amount"], one["other"]) for one in moves] == [
        ("sent", "-500000", {"address": B, "name": "bob"}),
        ("allowed", "2000000", {"address": B, "name": "bob"}),
        ("sent", "-1500000", {"address": B, "name": "bob"}),
        ("received", "5000000", {"address": with_checksum(OPERATOR.id), "name": "treasury"}),
    ]
    assert all(one["final"] for one in moves) and moves[0]["block"] > moves[-1]["block"] > made.block
    (last,) = told("history", "bob", "--chain", folder, "--limit", "1")
    assert (last["what"], last["amount"], last["other"]["name"]) == ("received", "500000", "alice")
    assert told("history", "bob", "--chain", folder, "--commodity", "watt_wh") == []
    minted = told("history", "treasury", "--chain", folder)[-1]
    assert (minted["what"], minted["amount"]) == ("minted", str(10**15))
    # More than was allowed is the contract's to refuse, before anything is sent.
    more = wallet("send", "bob", "1.6", "--from", "bob", "--owner", "alice", *at)
    assert isinstance(more.exception, Reverted) and "more than is allowed" in str(more.exception)
    again = wallet("approve", "bob", "3", "--from", "alice", *at)
    assert isinstance(again.exception, Refused) and "set to 0 before" in str(again.exception)
    told("approve", "bob", "0", "--from", "alice", *at)
    told("approve", "bob", "3", "--from", "alice", *at)


def test_whoever_signs_sees_who_gets_it_what_it_takes_and_can_say_no(hill: tuple[Path, Deployment]) -> None:
    folder, made = hill
    before = told("balances", "treasury", "--chain", folder)
    words = ("send", "Vault", "1", "--from", "treasury", "--chain", folder, *TSL)
    no = wallet(*words, says="n\n")
    assert no.exit_code == 1
    assert "send 1.000000 TSL" in no.output
    assert f"from treasury {with_checksum(OPERATOR.id)}" in no.output
    assert f"to   Vault {with_checksum(made.contracts['Vault'])}" in no.output
    assert f"transaction {before['nonce']} on chain {before['chain_id']}; at most" in no.output
    assert "gas, 0 coins" in no.output, "an embedded chain takes no fee"
    assert told("balances", "treasury", "--chain", folder) == before
    yes = wallet(*words, says="y\n")
    assert yes.exit_code == 0 and "final; " in yes.output, yes.output
    assert told("balances", "treasury", "--chain", folder)["nonce"] == before["nonce"] + 1
    assert LONG not in yes.output + no.output


def test_coins_of_the_chain_go_as_well(hill: tuple[Path, Deployment]) -> None:
    folder, _ = hill
    before = [int(told("balances", name, "--chain", folder)["coin"]) for name in ("treasury", "alice")]
    told("send", A, "0.05", "--coin", "--from", "treasury", "--chain", folder, "--yes")
    after = [int(told("balances", name, "--chain", folder)["coin"]) for name in ("treasury", "alice")]
    assert after == [before[0] - 5 * 10**16, before[1] + 5 * 10**16]
    shown = wallet("balances", "alice", "--chain", folder)
    assert f"alice {A}" in shown.stdout and "chain 2002875508" in shown.stdout
    history = wallet("history", "treasury", "--chain", folder)
    assert "minted" in history.stdout and "yes" in history.stdout


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        (("send", A.swapcase().replace("0X", "0x"), "1", "--from", "treasury", *TSL), InvalidValue, "EIP-55"),
        (("send", "nobody", "1", "--from", "treasury", *TSL), Refused, "a name is one address's"),
        (("send", "alice", "0", "--from", "treasury", *TSL), Refused, "more than nothing"),
        (("send", "alice", "1", "--from", "eve", *TSL), Refused, "no such key"),
        (("send", "alice", "1", *TSL), Refused, "say which key"),
        (("send", "alice", "2000000000", "--from", "treasury", *TSL), Reverted, "more than is held"),
        (("send", "Tsl", "1", "--from", "treasury", *TSL), Reverted, "nobody's address"),
        (("send", "alice", "1.5", "--from", "treasury", "--commodity", "watt_wh"), Refused, "whole Wh"),
        (("send", "alice", "1e9", "--coin", "--from", "treasury"), Refused, "a number like 0.05"),
        (("send", "alice", "9" * 20, "--coin", "--from", "treasury"), Refused, "node refuses"),
        (("history", "alice", "--commodity", "energy_wh"), Refused, "a chain knows tokens"),
        (("send", "alice", "1", "--from", "treasury", "--commodity", "energy_wh"), Refused, "a chain knows tokens"),
    ],
)
def test_what_cannot_be_sent_is_refused_in_words(
    hill: tuple[Path, Deployment], words: tuple[str, ...], kind: type[Exception], says: str
) -> None:
    yes = ("--yes",) if words[0] == "send" else ()
    done = wallet(*words, "--chain", hill[0], *yes)
    assert isinstance(done.exception, kind) and says in str(done.exception), (done.output, done.exception)


def test_a_wrong_passphrase_sends_nothing(hill: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch) -> None:
    before = held("treasury", hill[0])
    monkeypatch.setenv("COMMONWATT_PASSPHRASE", "quite another passphrase")
    done = wallet("send", "alice", "1", "--from", "treasury", "--chain", hill[0], "--yes", *TSL)
    assert isinstance(done.exception, Refused) and "does not open this key" in str(done.exception)
    assert held("treasury", hill[0]) == before


def test_options_of_the_ledger_and_of_the_chain_are_kept_apart(hill: tuple[Path, Deployment]) -> None:
    for words, says in (
        (("balances", "alice", "--chain", hill[0], "--as", "operator"), "--as is for the ledger"),
        (("balances", "member-05", "--spender", "bob", "--folder", hill[0]), "--spender is for --chain"),
        (("send", "x", "1", "--coin", "--owner", "y", "--chain", hill[0]), "nobody allows others to take --coin"),
    ):
        done = wallet(*words)
        assert done.exit_code == 2 and says in done.output, done.output


def test_a_key_that_never_leaves_its_token_sends_as_well(
    hill: tuple[Path, Deployment], soft_token: SoftToken, tmp_path: Path
) -> None:
    own = ("--wallet", tmp_path / "wallet")
    place = ("--library", soft_token.library, "--token", soft_token.label, "--pin", soft_token.pin)
    hard = told("create", "hard", *own, *place, "--label", "wallet-chain")["address"]
    at = ("--chain", hill[0], "--yes", *TSL)
    told("send", hard, "1", "--from", "treasury", *at)
    done = told("send", B, "0.25", "--from", "hard", *own, *at)
    assert done["done"] is True
    tokens = told("balances", "hard", "--chain", hill[0], *own)["tokens"]
    assert tokens[2]["amount"] == "750000"


def test_a_place_without_a_chain_or_its_contracts_is_refused(hill: tuple[Path, Deployment], tmp_path: Path) -> None:
    _, made = hill

    def refused(place: Path | str) -> str:
        done = wallet("balances", "alice", "--chain", place)
        assert isinstance(done.exception, Refused)
        return str(done.exception)

    assert "remembers where its contracts" in refused(tmp_path)
    assert "say --folder" in refused("http://127.0.0.1:9")
    (tmp_path / "chain").mkdir()
    keep(tmp_path / "chain", made)
    assert "an embedded chain" in refused(tmp_path)
    EmbeddedChain(tmp_path / "chain", Genesis(chain_id=77)).close()
    assert "contracts are on one chain" in refused(tmp_path)


@contextmanager
def open_app(folder: Path) -> Iterator[int]:
    """Hold the chain open as an app does, and let wallets on this machine ask it; gives the port."""
    chain = EmbeddedChain(folder / "chain")
    with socket.socket() as heard:
        heard.bind(("127.0.0.1", 0))
        heard.listen()
        port = heard.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(rpc_app(Methods(chain), port), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [heard]})
        thread.start()
        try:
            yield port
        finally:
            server.should_exit = True
            thread.join(30)
            chain.close()


def test_whoever_has_the_chain_open_is_asked_where_it_is_shown_to_wallets(
    hill: tuple[Path, Deployment], tmp_path: Path
) -> None:
    folder = tmp_path / "hill"
    shutil.copytree(hill[0], folder)
    with open_app(folder) as port:
        at = ("--chain", f"http://127.0.0.1:{port}", "--folder", folder)
        before = told("balances", "bob", *at)
        busy = wallet("balances", "bob", "--chain", folder)
        assert isinstance(busy.exception, Refused) and "one process has a chain open" in str(busy.exception)
        (folder / "chain" / chain_terms.RPC_CARD).write_text(f'"http://127.0.0.1:{port}"')
        assert told("balances", "bob", "--chain", folder) == before
        done = told("send", "bob", "7", "--from", "treasury", "--chain", folder, "--yes", *TSL)
        assert done["final"] is True
        after = told("balances", "bob", *at)["tokens"][2]
        assert int(after["amount"]) == int(before["tokens"][2]["amount"]) + 7_000_000
    gone = wallet("balances", "bob", *at)
    assert isinstance(gone.exception, Unreachable)


def test_addresses_that_the_log_knows_are_called_by_whose_they_are(lived: LivedStreet, tmp_path: Path) -> None:
    folder = tmp_path / "street"
    shutil.copytree(lived.folder, folder)
    founded(folder)
    done = told("send", "member-05", "2.5", "--from", "treasury", "--chain", folder, "--yes", *TSL)
    assert done["final"] is True
    found = told("balances", "member-05", "--chain", folder)
    assert (found["who"]["name"], found["tokens"][2]["amount"]) == ("member-05", "2500000")
    (move,) = told("history", found["who"]["address"], "--chain", folder)
    assert (move["what"], move["other"]["name"]) == ("received", "treasury")


def test_the_guide_does_what_it_shows(
    hill: tuple[Path, Deployment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(hill[0], tmp_path / "hill")
    (tmp_path / "passphrase").touch(0o600)
    (tmp_path / "passphrase").write_text(LONG)
    treasury = ("--wallet", os.environ["COMMONWATT_WALLET"], "--from", "treasury")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(walleting, "wallet_in", lambda folder: WalletFolder(folder, cost=Cost(n=4, r=1)))
    monkeypatch.setenv("COMMONWATT_WALLET", "wallet")
    keys, chain = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    outputs = [run(line) for line in keys.splitlines()]
    address = outputs[2].strip()
    assert address in outputs[1] and address in outputs[3] and address in outputs[4] and address not in outputs[5]
    monkeypatch.setenv("COMMONWATT_PASSPHRASE", LONG)
    told("send", address, "5", *treasury, "--chain", "hill", "--yes", *TSL)
    monkeypatch.delenv("COMMONWATT_PASSPHRASE")
    last = json.loads([run(line) for line in chain.splitlines()][-1])
    assert [(one["amount"], one["allowed"]) for one in last["tokens"]][2] == ("1750000", "250000")


def run(line: str) -> str:
    program, group, *words = shlex.split(line)
    assert (program, group) == ("commonwatt", "wallet")
    done = wallet(*words)
    assert done.exit_code == 0, (line, done.output, done.exception)
    return done.stdout
