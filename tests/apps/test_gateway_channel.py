"""A gateway's file says through which channel it pays, and its folder keeps the key that signs."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from commonwatt.apps.gateway_channel import CHANNEL_KEY, ChannelTerms, open_paying
from commonwatt.apps.gateway_folder import GATEWAY, GatewayFile, make_folder, read_gateway
from commonwatt.flows.channels import typed
from commonwatt.flows.channels.terms import LEAST_DELAY_S, Terms
from commonwatt.metering.batch import Item, Quality
from commonwatt.model import SLOT_SECONDS, AccountId, Asset, AssetId, AssetKind, GatewayId, InvalidValue

pytestmark = pytest.mark.row("H3")
CONTRACT, PAYEE, TOKEN, PAYER = ("0x" + digit * 40 for digit in "1234")
TOLD: dict[str, Any] = {
    "till": "https://till.example",
    "chain_id": 7,
    "contract": CONTRACT,
    "payee": PAYEE,
    "token": TOKEN,
    "payer": PAYER,
    "deposit_micro": 10_000_000,
    "import_micro_per_kwh": 300_000,
}


def asset(name: str, kind: AssetKind) -> Asset:
    return Asset(
        id=AssetId(name),
        kind=kind,
        owner=AccountId("anna"),
        gateway=GatewayId("gw"),
        zone="lane",
        max_import_w=9_000,
        max_export_w=9_000,
        capacity_wh=5_000 if kind is AssetKind.BATTERY else 0,
    )


BEHIND = [asset("cellar", AssetKind.BATTERY), asset("meter", AssetKind.CONNECTION)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_folder(tmp_path / "gw", GatewayFile(community="tiny", number="gw"))
    return tmp_path / "gw"


def test_a_gateway_and_its_till_give_the_channel_one_name(folder: Path) -> None:
    paying = open_paying(folder, ChannelTerms(**TOLD), "tiny", "anna", BEHIND)
    assert (folder / "keys" / CHANNEL_KEY).stat().st_mode & 0o777 == 0o600
    again = open_paying(folder, ChannelTerms(**TOLD), "tiny", "anna", BEHIND)
    assert again.channel == paying.channel, "the key is made once"
    terms = Terms(community="tiny", chain_id=7, contract=CONTRACT, payee=PAYEE, token=TOKEN)
    config = terms.config(PAYER, paying.channel.signer, "anna")
    assert typed.channel_id(typed.domain(7, CONTRACT), config) == paying.channel.id
    assert (config.delay_s, paying.channel.deposit) == (LEAST_DELAY_S, 10_000_000)


def test_only_what_the_connection_measured_is_paid(folder: Path) -> None:
    paying = open_paying(folder, ChannelTerms(**TOLD, export_micro_per_kwh=100_000), "tiny", "anna", BEHIND)
    items = [
        Item(start_s=0, register=0, import_wh=5_000, export_wh=0),
        Item(start_s=0, register=1, import_wh=2_000, export_wh=1_000),
        Item(start_s=SLOT_SECONDS, register=1, import_wh=9_000, export_wh=0, quality=Quality.ESTIMATED),
    ]
    payer = paying.after(None, items, 0)
    assert (payer.owed, payer.signed) == (500_000, 500_000)
    assert paying.after(payer, items, 0) == payer, "a slot is paid once"


def test_who_has_no_connection_or_owner_pays_nothing(folder: Path) -> None:
    with pytest.raises(InvalidValue):
        open_paying(folder, ChannelTerms(**TOLD), "tiny", "anna", BEHIND[:1])
    with pytest.raises(InvalidValue):
        open_paying(folder, ChannelTerms(**TOLD), "tiny", None, BEHIND)


@pytest.mark.parametrize(
    "wrong",
    [
        {"till": "http://till.example"},
        {"till": "https://till.example/"},
        {"payer": "anna"},
        {"deposit_micro": -1},
        {"cycle_slots": 0},
        {"delay_s": 10**9},
        {"more": 1},
    ],
)
def test_a_file_that_says_no_such_channel_is_refused(folder: Path, wrong: dict[str, Any]) -> None:
    lines = [f"{name} = {msgspec.json.encode(value).decode()}" for name, value in (TOLD | wrong).items()]
    with (folder / GATEWAY).open("a") as file:
        file.write("\n[channel]\n" + "\n".join(lines) + "\n")
    with pytest.raises(InvalidValue, match=r"gateway\.toml"):
        read_gateway(folder)
