"""A gateway's payment channel: what its file says of it, the key that signs, and who shows vouchers to the till."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from commonwatt.adapters.payments.teller import HttpTeller
from commonwatt.adapters.stores.keyfile import load_secret, passphrase, save_secret
from commonwatt.flows.channels import typed
from commonwatt.flows.channels.purse import Channel, Tariff
from commonwatt.flows.channels.terms import LEAST_DELAY_S, Terms
from commonwatt.flows.gateway.gateway import Gateway
from commonwatt.flows.gateway.paying import Courier, Paying
from commonwatt.flows.rulebook.bodies import Name
from commonwatt.identity.keys import SigningKey
from commonwatt.model import SLOT_SECONDS, Asset, AssetKind, InvalidValue
from commonwatt.tokens.channel import MOST_DELAY_S, MOST_TOTAL

CHANNEL_KEY = "channel.pem"
Address = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{40}\Z")]
_Price = Annotated[int, Meta(ge=0, le=10**9)]


class ChannelTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `gateway.toml` says under ``[channel]``.

    Args:
        till: Where the community's till is: by https, or by http on this machine alone.
        chain_id: The chain's number.
        contract: The contract of channels there.
        payee: Who is paid, as the till's terms say.
        token: In what, likewise.
        payer: Who has deposited: the owner's address.
        deposit_micro: How much; no voucher is of more.
        account: For whom it pays; the gateway's owner where none is named.
        number: Which of that account's channels.
        delay_s: Of the channel.
        import_micro_per_kwh: What energy from the grid costs.
        export_micro_per_kwh: What energy to the grid is paid.
        cycle_slots: How many quarter-hours a billing cycle is.
    """

    till: Annotated[str, Meta(pattern=r"^(https://[^\s/].*[^\s/]|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?)\Z")]
    chain_id: Annotated[int, Meta(ge=1)]
    contract: Address
    payee: Address
    token: Address
    payer: Address
    deposit_micro: Annotated[int, Meta(ge=0, le=MOST_TOTAL)]
    account: Name | None = None
    number: Annotated[int, Meta(ge=0, le=2**31)] = 0
    delay_s: Annotated[int, Meta(ge=0, le=MOST_DELAY_S)] = LEAST_DELAY_S
    import_micro_per_kwh: _Price
    export_micro_per_kwh: _Price = 0
    cycle_slots: Annotated[int, Meta(ge=1, le=2_976)] = 1


def open_paying(folder: Path, told: ChannelTerms, community: str, owner: str | None, assets: Sequence[Asset]) -> Paying:
    """Return how a gateway pays, with the key of its folder that signs vouchers, made the first time.

    Args:
        folder: The gateway's.
        told: What its file says.
        community: Whom it pays.
        owner: Whose it is.
        assets: All behind it, in the order of their registration.

    Raises:
        InvalidValue: There is no connection behind it, or nobody for whom it pays.
        Refused: Others may read the key, or it does not open.
    """
    account = told.account or owner
    register = next((n for n, asset in enumerate(assets) if asset.kind is AssetKind.CONNECTION), None)
    if account is None or register is None:
        raise InvalidValue(f"a gateway pays for an account what its connection took, was {account!r}, {register!r}")
    key = _key(folder / "keys")
    terms = Terms(
        community=community, chain_id=told.chain_id, contract=told.contract, payee=told.payee, token=told.token
    )
    config = terms.config(told.payer, key.id, account, told.number, told.delay_s)
    where = typed.domain(told.chain_id, told.contract)
    channel = Channel(
        id=typed.channel_id(where, config),
        account=account,
        payer=told.payer,
        signer=key.id,
        delay_s=told.delay_s,
        deposit=told.deposit_micro,
        number=told.number,
    )
    return Paying(
        channel=channel,
        sign=lambda channel, total: typed.sign_voucher(where, key, channel, total),
        tariff=Tariff(import_micro_per_kwh=told.import_micro_per_kwh, export_micro_per_kwh=told.export_micro_per_kwh),
        register=register,
        cycle_s=told.cycle_slots * SLOT_SECONDS,
    )


def open_courier(
    gateway: Gateway, paying: Paying, told: ChannelTerms, alarm: Callable[[str], None], doors: ExitStack
) -> Courier:
    """Return who shows a gateway's vouchers to its till; its line is closed with the doors."""
    return Courier(gateway, paying.channel, doors.enter_context(HttpTeller(told.till)), alarm)


def _key(keys: Path) -> SigningKey:
    """Return the key that signs vouchers: the gateway's own may lie in a token, or be of P-256."""
    if not (keys / CHANNEL_KEY).exists():
        save_secret(keys / CHANNEL_KEY, SigningKey.generate().to_pem(passphrase(keys / "passphrase")))
    return SigningKey.from_pem(load_secret(keys / CHANNEL_KEY), passphrase(keys / "passphrase"))
