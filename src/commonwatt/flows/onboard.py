"""The story of a community's first hour: who is who, what stands where, who agrees, and who has paid in."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from msgspec import structs

from commonwatt.flows.desk import Desk
from commonwatt.flows.rulebook import State, bodies
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.rulebook.settlement.sharing_bodies import SettlementTerms
from commonwatt.flows.rulebook.state import CHAIN_DESK, CHAIN_ROLE, WattPrices
from commonwatt.flows.rulebook.tokens.crossed import Named
from commonwatt.identity.keys import NoteKey, SigningKey
from commonwatt.model import ALWAYS, GRID, AccountId, Asset, AssetId, Consent, GatewayId, Kind

OPERATOR = AccountId("operator")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Everybody who signs at this desk. Members' keys are custodial: held for them, under a passphrase."""

    operator: SigningKey
    note: NoteKey
    planner: SigningKey
    oracle: SigningKey
    dso: SigningKey
    payment: SigningKey
    members: Mapping[AccountId, SigningKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletTerms:
    """What a community asks and gives in tokens; see `bodies.RegisterCommunity` for each."""

    tsl_micro_per_kwh: int | None = None
    commission_micro_per_kwh: int = 0
    member_tsl_micro: int = 0
    education_tsl_micro: int = 0
    welcome_grant_micro: int = 0
    low_micro: int | None = None
    clear_micro: int | None = None
    meter_threshold_micro: int = 0
    meter_grace_s: int | None = None
    operator_micro_per_kwh_charged: int = 0
    operator_micro_per_kwh_discharged: int = 0
    licence_micro_per_month: int | None = None
    unbacked_micro_per_kwh: int = 0
    sealed_bond_micro: int = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Charter:
    """A community's parameters and what it is made of at the start.

    Who is not in ``consents`` agrees to all plans, and who is not in ``agents`` trades no WATT until they ask for it.
    """

    timezone: str
    b_max_wh: int
    grace_slots: int
    correction_slots: int
    gate_s: int
    assets: Sequence[Asset]
    gateways: Mapping[GatewayId, bytes]
    prepaid_micro: int
    dso: Sequence[str]
    witnesses: tuple[bodies.Witness, ...] = ()
    wallets: WalletTerms = WalletTerms()
    consents: Mapping[AccountId, Consent] = field(default_factory=dict)
    agents: Mapping[AccountId, WattPrices] = field(default_factory=dict)
    settlement: SettlementTerms = field(default_factory=SettlementTerms)


def onboard(state: State, cast: Cast, charter: Charter, now_s: int) -> list[bytes]:
    """Return the first batch of a community's log."""
    desk = Desk(state)
    desk.write(cast.operator, OPERATOR, Kind.REGISTER, _community(cast, charter))
    roles = [
        (cast.planner, "planner", AccountId("planner")),
        (cast.oracle, "oracle", AccountId("oracle")),
        (cast.dso, "dso", GRID),
        (cast.payment, "payment", AccountId("payment")),
        *((key, "member", account) for account, key in cast.members.items()),
    ]
    for key, role, account in roles:
        desk.write(cast.operator, OPERATOR, Kind.REGISTER, key_body(key, role, account))
    for gateway, public in charter.gateways.items():
        register = bodies.RegisterGateway(gateway=gateway, public=public.hex(), alg="secp256k1")
        desk.write(cast.operator, OPERATOR, Kind.REGISTER, register)
    registers: Counter[GatewayId] = Counter()
    for asset in charter.assets:
        owner = cast.dso if asset.owner == GRID else cast.members[asset.owner]
        desk.write(owner, asset.owner, Kind.REGISTER, _asset(asset, registers[asset.gateway]))
        registers[asset.gateway] += 1
        if asset.stores:
            agreed = consent_body(charter.consents.get(asset.owner, ALWAYS), asset.id)
            desk.write(owner, asset.owner, Kind.CONSENT, agreed)
    for account in cast.members:
        paid = bodies.PurchaseBody(account=account, amount_micro=charter.prepaid_micro, reference=f"first-{account}")
        desk.write(cast.payment, AccountId("payment"), Kind.PURCHASE, paid)
    for account, prices in charter.agents.items():
        on = order_bodies.AgentOn(
            buy_micro_per_kwh=prices.buy, sell_micro_per_kwh=prices.sell, forecast=prices.forecast
        )
        desk.write(cast.members[account], account, Kind.ORDER, on)
    for line in charter.dso:
        desk.write(cast.dso, GRID, Kind.CONSTRAINT, bodies.ConstraintBody(text=line, said_s=now_s))
    return desk.wires


def consent_body(consent: Consent, asset: AssetId | None = None) -> bodies.ConsentBody:
    """Return a consent as it is signed, of one asset or of all that its owner has."""
    return bodies.ConsentBody(
        asset=asset,
        mode=consent.mode,
        least_percent=consent.least_percent,
        most_supply_w=consent.most_supply_w,
        hours=consent.hours,
        decide_s=consent.decide_s,
    )


def _community(cast: Cast, charter: Charter) -> bodies.RegisterCommunity:
    return bodies.RegisterCommunity(
        public=cast.operator.public.hex(),
        timezone=charter.timezone,
        b_max_wh=charter.b_max_wh,
        grace_slots=charter.grace_slots,
        correction_slots=charter.correction_slots,
        gate_s=charter.gate_s,
        **asdict(charter.wallets),
        witnesses=charter.witnesses,
        settlement=charter.settlement,
    )


def key_body(key: SigningKey, role: str, account: AccountId) -> bodies.RegisterKey:
    """Return the registration of a key as the operator signs it."""
    return bodies.RegisterKey(public=key.public.hex(), alg="secp256k1", role=role, account=account)


def desk_body(key: SigningKey, named: Named) -> bodies.RegisterKey:
    """Return the registration of the crossing desk's key, which names the one Vault that a community ever has."""
    body = key_body(key, CHAIN_ROLE, CHAIN_DESK)
    return structs.replace(body, chain_id=named.chain_id, vault=named.vault)


def _asset(asset: Asset, register: int) -> bodies.RegisterAsset:
    return bodies.RegisterAsset(
        asset=asset.id,
        gateway=asset.gateway,
        register=register,
        asset_kind=asset.kind,
        zone=asset.zone,
        max_import_w=asset.max_import_w,
        max_export_w=asset.max_export_w,
        min_import_w=asset.min_import_w,
        capacity_wh=asset.capacity_wh,
        charge_permille=asset.charge_permille,
        discharge_permille=asset.discharge_permille,
    )
