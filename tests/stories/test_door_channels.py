"""Payment channels between programs: a till beside an open door, a chain behind its JSON-RPC, a gateway."""

import re
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from community import IMPORT, NAME, PREPAID, key
from door_client import found_folder
from gateway_child import SLOT_WH, install
from test_door_kept import Kept, command, until
from test_gateway_program import NUMBER, OPERATOR, Box, Town

from channel_hall import DELAY_S, PAYEE, PAYER, Hall
from commonwatt.adapters.chains.embedded.door import rpc_app
from commonwatt.adapters.chains.embedded.methods import Methods
from commonwatt.adapters.payments.teller import HttpTeller
from commonwatt.adapters.stores.keyfile import load_secret, save_secret
from commonwatt.adapters.stores.vouchers import HeldFile
from commonwatt.apps.asking import send
from commonwatt.apps.gateway_lines import Lines
from commonwatt.apps.tilling import HELD, read_till
from commonwatt.apps.wiring import open_log
from commonwatt.flows.channels.contract import Channels
from commonwatt.flows.channels.ports import Payment
from commonwatt.flows.channels.till import Till
from commonwatt.flows.replay import replay
from commonwatt.flows.rulebook import bodies
from commonwatt.identity.keys import SigningKey
from commonwatt.model import Corrupt, InvalidValue, Kind, Refused
from commonwatt.simulator.sandbox_bank import serving
from commonwatt.tokens.channel import Config, Verdict
from servers.mosquitto import free_port

pytestmark = pytest.mark.row("H3")
PATIENCE_S = 60
"""As long as a loaded machine may take to start a program."""


class Chain:
    """A chain behind its own port, and the file that tells a door of it."""

    def __init__(self, folder: Path, doors: ExitStack) -> None:
        self.hall, port = Hall(), free_port()
        self.url = doors.enter_context(serving(rpc_app(Methods(self.hall.embedded), port), port))
        self.file = folder / "channels.toml"
        told = {
            "chain": self.url,
            "contract": self.hall.channels.contract.address,
            "token": self.hall.token.address,
            "payee": PAYEE.id,
        }
        lines = [f'{name} = "{value}"' for name, value in told.items()]
        self.file.write_text("\n".join([*lines, f"least_delay_s = {DELAY_S}", "port = 0", "every_s = 1"]))

    def open(self, config: Config, amount: int = 10**9) -> str:
        hall = self.hall
        hall.done(hall.channels.deposit_by_permit(PAYER, config, amount, hall.token, hall.next_s + 3_600))
        return hall.channels.id(config)


@pytest.fixture
def doors() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


@pytest.fixture
def town(tmp_path: Path) -> Path:
    found_folder(tmp_path / "town", priced_slots=400, correction_slots=400)
    for name in ("payment", "cleo"):
        save_secret(tmp_path / "town" / "keys" / f"{name}.pem", key(name).to_pem(b"open"))
    return tmp_path / "town"


def till_of(door: Kept) -> str:
    until(lambda: any("taking vouchers at" in word for word in door.words), PATIENCE_S)
    (found,) = [re.findall(r"http://[^/ ]+", word)[0] for word in door.words if "taking vouchers at" in word]
    return str(found)


def test_vouchers_are_taken_beside_an_open_door_and_watched_over(town: Path, doors: ExitStack) -> None:
    chain = Chain(town, doors)
    hall, signer = chain.hall, key("anna's channel")
    door = Kept(town, channels=chain.file).open()
    doors.callback(door.close)
    teller = doors.enter_context(HttpTeller(till_of(door)))
    config = teller.terms().config(PAYER.id, signer.id, "anna", delay_s=DELAY_S)
    channel = chain.open(config)

    def shown(total: int) -> Verdict:
        voucher = hall.channels.sign(signer, channel, total)
        payment = Payment(account="anna", number=0, payer=PAYER.id, signer=signer.id, delay_s=DELAY_S, voucher=voucher)
        return teller.show(payment).verdict

    assert [shown(total) for total in (100, 100, 70, 900)] == [
        Verdict.ACCEPTED, Verdict.SEEN_BEFORE, Verdict.SEEN_BEFORE, Verdict.ACCEPTED,
    ]  # fmt: skip
    assert door.ergon("anna") == PREPAID + 900
    hall.done(hall.channels.withdraw(PAYER, config))
    until(lambda: hall.holds(PAYEE) == 900, PATIENCE_S)
    until(lambda: any(channel in word and "withdraws" in word for word in door.words))
    assert shown(1_000) is Verdict.ENDING


def test_a_chain_out_of_reach_holds_up_no_door(town: Path, doors: ExitStack) -> None:
    chain = Chain(town, doors)
    port = free_port()
    chain.file.write_text(re.sub(r'chain = ".*"', f'chain = "http://127.0.0.1:{port}"', chain.file.read_text()))
    door = Kept(town, channels=chain.file).open()
    doors.callback(door.close)
    until(lambda: any("no vouchers are taken yet" in word for word in door.words), PATIENCE_S)
    assert door.error is None
    with serving(rpc_app(Methods(chain.hall.embedded), port), port):
        assert till_of(door).startswith("http://127.0.0.1:")


@pytest.mark.parametrize("nonsense", [InvalidValue("claimed more than deposited"), Corrupt("a row"), KeyError("x")])
def test_a_node_that_tells_nonsense_closes_no_door(
    nonsense: Exception, town: Path, doors: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = Chain(town, doors)

    def lies(*_: object) -> list[object]:
        raise nonsense

    with monkeypatch.context() as patch:
        patch.setattr(Channels, "withdrawing", lies)
        door = Kept(town, channels=chain.file).open()
        doors.callback(door.close)
        until(lambda: any("nobody watches over vouchers now" in word for word in door.words), PATIENCE_S)
    assert till_of(door)
    assert door.error is None


def test_one_account_that_cannot_be_credited_leaves_no_voucher_unwatched(
    town: Path, doors: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = Chain(town, doors)
    hall, signer = chain.hall, key("anna's channel")

    def refused(till: Till) -> int:
        raise Refused("what was paid is credited", outcome="over limit")

    monkeypatch.setattr(Till, "catch_up", refused)
    door = Kept(town, channels=chain.file).open()
    doors.callback(door.close)
    teller = doors.enter_context(HttpTeller(till_of(door)))
    config = teller.terms().config(PAYER.id, signer.id, "anna", delay_s=DELAY_S)
    voucher = hall.channels.sign(signer, chain.open(config), 900)
    payment = Payment(account="anna", number=0, payer=PAYER.id, signer=signer.id, delay_s=DELAY_S, voucher=voucher)
    assert teller.show(payment).verdict is Verdict.ACCEPTED
    hall.done(hall.channels.withdraw(PAYER, config))
    until(lambda: hall.holds(PAYEE) == 900, PATIENCE_S)


@pytest.mark.parametrize(
    "line", ['chain = "ftp://x"', 'payee = "anna"', "least_delay_s = 1", "every_s = 0", "more = 1"]
)
def test_a_file_of_channels_that_says_no_such_thing_is_refused(line: str, town: Path, doors: ExitStack) -> None:
    chain = Chain(town, doors)
    name = line.partition(" =")[0]
    others = [one for one in chain.file.read_text().splitlines() if not one.startswith(name)]
    chain.file.write_text("\n".join([*others, line]))
    with pytest.raises(InvalidValue, match="does not say where channels are"):
        read_till(chain.file)


def test_a_gateway_pays_every_cycle_though_it_is_killed(town: Path, tmp_path: Path, doors: ExitStack) -> None:
    """Its own process counts, signs and shows; another is the community. A slot passes every second."""
    chain, began_s = Chain(town, doors), time.time()
    install(tmp_path / "path")
    box = Box(tmp_path / "gateway", tmp_path / "path", began_s)
    lines = Lines(gateways=f"ws://127.0.0.1:{free_port()}")

    class Paid(Town):
        def __init__(self) -> None:
            super().__init__(town, began_s, lines)
            self._hours = replace(self._hours, channels=chain.file)

    door = Paid().open()
    doors.callback(door.close)
    url = till_of(door)
    told = command(
        "gateway", "init", box.folder, "--number", NUMBER, "--community", NAME, "--uplink", str(lines.gateways),
        "--community-public", OPERATOR,
    )  # fmt: skip
    _, _, public, alg = told.split()
    at = ("--port", door.port)
    (box.folder / "devices.toml").write_text(
        '[[asset]]\nid = "cleo-meter"\nkind = "connection"\nmax_import_w = 9000\nmax_export_w = 9000\n'
        '[[device]]\nasset = "cleo-meter"\ndriver = "slot_counter"\nurl = "none:"\n'
    )
    cleo = bodies.RegisterKey(public=key("cleo").public.hex(), alg="secp256k1", role="member", account="cleo")
    send(town, "operator", Kind.REGISTER, cleo, "127.0.0.1", door.port)
    command("gateway", "register", town, "--number", NUMBER, "--public", public, "--alg", alg, *at)
    assert command("gateway", "claim", town, "cleo", box.folder / "devices.toml", "--number", NUMBER, *at)[0] == "0"
    signer = SigningKey.generate()
    save_secret(
        box.folder / "keys" / "channel.pem", signer.to_pem(load_secret(box.folder / "keys" / "passphrase").strip())
    )
    with HttpTeller(url) as teller:
        config = teller.terms().config(PAYER.id, signer.id, "cleo", delay_s=DELAY_S)
    channel = chain.open(config)
    with (box.folder / "gateway.toml").open("a") as file:
        file.write(
            f'\n[channel]\ntill = "{url}"\nchain_id = 1\ncontract = "{chain.hall.channels.contract.address}"\n'
            f'payee = "{PAYEE.id}"\ntoken = "{chain.hall.token.address}"\npayer = "{PAYER.id}"\naccount = "cleo"\n'
            f"deposit_micro = {10**9}\ndelay_s = {DELAY_S}\nimport_micro_per_kwh = {IMPORT}\n"
        )

    def paid() -> int:
        with HeldFile(town / HELD) as held:
            found = held.of(channel)
        return found.total if found else 0

    box.start()
    until(lambda: paid() >= 2 * IMPORT, PATIENCE_S)
    box.stop(signal.SIGKILL)
    before = paid()
    box.start()
    until(lambda: paid() >= before + 2 * IMPORT, PATIENCE_S)
    assert any(channel in word and signer.id in word for word in box.words)
    assert box.stop() == 0
    assert paid() % (IMPORT * SLOT_WH // 1_000) == 0, "whole slots, each at its price"
    with open_log(town) as log:
        purchases = replay(log.rows(), NAME).state.wallets.purchases
    assert purchases.fact(f"channel {channel} {paid()}") is not None, "and all of it is in the log"
