"""The community's chain as a seat sees it: what is final there, who stakes, what somebody sent out and can claim."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from commonwatt.apps.chain_facts import Amounts, Anchored, BlockFact, Facts, Staked
from commonwatt.apps.chaining import ChainKeeper
from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import Absent, check
from commonwatt.flows.anchoring import gas_per_member
from commonwatt.flows.rulebook.state import WALLET_ROLES
from commonwatt.flows.rulebook.tokens.crossing import TOKENS
from commonwatt.flows.rulebook.tokens.exits import exit_addresses
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.identity.signing_in.wallet import with_checksum
from commonwatt.model import AccountId, Commodity, Memo, Refused, chain_account

_LOOK_BACK = 2_000
"""Times that an account sent something out, of which it is told."""
_NOTHING: Amounts = (0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainView:
    """How the community's chain stands.

    Args:
        as_of_s: As of when, by the log's time.
        kind: ``embedded`` or ``network``; empty where the community has no chain.
        trouble: Why it is not kept now; empty where all is well.
        chain_id: The chain's number (EIP-155).
        head: The last block seen.
        final: The last one that is not taken back.
        contracts: Addresses by name, with checksum.
        vault: Where deposits go.
        bound: Whether the Vault knows that the log names it; before, it takes in and pays nothing.
        operator: Whose key sends for the community.
        rpc: Where wallets on this machine find it.
        stage: How far the log's last final checkpoint has come.
        log_size: Leaves of the log.
        final_size: How many of them a final block holds.
        anchored: The last checkpoints, the newest first.
        anchored_count: How many there were.
        gas: What the last one used.
        members: Who shares it.
        gas_per_member: That, shared by all members; None before the first.
        own_word: Whether the operator alone signs, since no witness is registered.
    """

    as_of_s: int
    kind: str
    trouble: str
    chain_id: int | None
    head: BlockFact | None
    final: BlockFact | None
    contracts: Mapping[str, str]
    vault: str
    bound: bool
    operator: str
    rpc: str
    stage: str
    log_size: int
    final_size: int
    anchored: Sequence[Anchored]
    anchored_count: int
    gas: int | None
    members: int
    gas_per_member: float | None
    own_word: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StakeView:
    """Who stakes so that checkpoints count; TSL micro."""

    as_of_s: int
    bonded_micro: int
    pool_micro: int
    witnesses: Sequence[Staked]
    waiting_roles: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """What goes from an account to an address on the chain, base units.

    Args:
        address: With checksum.
        commodity: What.
        mine: What this account sent there, ever.
        sent: What everybody did.
        provable: What of that stands in an anchored state.
        claimed: What of that the Vault paid.
        due: What it would pay now.
    """

    address: str
    commodity: Commodity
    mine: int
    sent: int
    provable: int
    claimed: int
    due: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofView:
    """What `Vault.withdraw` is told beside the address: by anybody, with any wallet; bytes as hex.

    Args:
        vault: Where.
        to: Who is paid.
        epoch, size, log_root, state_root: The checkpoint.
        row: The account's row.
        index, count: Its place in the accounts' tree.
        path: From there to the accounts' root.
        sections: From that to the state root.
    """

    vault: str
    to: str
    epoch: int
    size: int
    log_root: str
    state_root: str
    row: str
    index: int
    count: int
    path: Sequence[str]
    sections: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """Who was paid out of the Vault, and by which transaction, 64 hex digits."""

    address: str
    tx: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldView:
    """What an address has on the chain, base units."""

    address: str
    ergon_micro: int
    watt_wh: int
    tsl_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitView:
    """Where on the chain an account's own goes if the operator stops.

    Args:
        account: Whose.
        address: With checksum; empty where it goes nowhere, since the account has no key for a chain.
        named: Whether the account named it; otherwise it is that of the account's last registered key.
    """

    account: AccountId
    address: str
    named: bool


def chain(community: Community, seat: Seat) -> ChainView:
    """Return how the chain stands.

    Raises:
        Refused: As in `seeing.check`.
    """
    check(community, seat, Action.SEE_COMMUNITY, None)
    keeper = community.chain
    facts = keeper.facts if keeper is not None else None
    last = facts.anchored[0] if facts is not None and facts.anchored else None
    members = len(community.state.members())
    return ChainView(
        as_of_s=community.told_s,
        kind=keeper.kind if keeper is not None else "",
        trouble=keeper.trouble if keeper is not None else "",
        chain_id=facts.chain_id if facts else None,
        head=facts.head if facts else None,
        final=facts.final if facts else None,
        contracts={name: with_checksum(place) for name, place in facts.contracts.items()} if facts else {},
        vault=with_checksum(facts.contracts["Vault"]) if facts else "",
        bound=facts.bound if facts else False,
        operator=with_checksum(facts.operator) if facts else "",
        rpc=facts.rpc if facts else "",
        stage=facts.stage if facts else "",
        log_size=community.size,
        final_size=facts.final_size if facts else 0,
        anchored=facts.anchored if facts else (),
        anchored_count=facts.anchored_count if facts else 0,
        gas=last.gas if last else None,
        members=members,
        gas_per_member=gas_per_member(last.gas, members) if last and members else None,
        own_word=facts.own_word if facts else False,
    )


def stake(community: Community, seat: Seat) -> StakeView:
    """Return who stakes; raises as `chain`, and Refused where the chain is not open yet."""
    check(community, seat, Action.SEE_COMMUNITY, None)
    facts = _facts(community)
    return StakeView(
        as_of_s=community.told_s,
        bonded_micro=facts.bonded_micro,
        pool_micro=facts.pool_micro,
        witnesses=facts.stakes,
        waiting_roles=facts.waiting_roles,
    )


def withdrawals(community: Community, seat: Seat, account: AccountId) -> list[Withdrawal]:
    """Return where an account's tokens went on the chain, and what of it can be claimed; by address and token.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    check(community, seat, Action.SEE_ENTRIES, account)
    facts = community.chain.facts if community.chain is not None else None
    found = []
    for (address, commodity), mine in sorted(_sent_by(community, account).items()):
        place = TOKENS.index(commodity)
        sent = community.state.accounts.balance(chain_account(address), commodity)
        provable = facts.provable.get(address, _NOTHING)[place] if facts else 0
        claimed = facts.claimed.get(address, _NOTHING)[place] if facts else 0
        found.append(
            Withdrawal(
                address=with_checksum(address),
                commodity=commodity,
                mine=mine,
                sent=sent,
                provable=provable,
                claimed=claimed,
                due=max(0, provable - claimed),
            )
        )
    return found


def exit_of(community: Community, seat: Seat, account: AccountId) -> ExitView:
    """Return where an account's own goes if the operator stops.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    check(community, seat, Action.SEE_ENTRIES, account)
    state = community.state
    own = (record for record in state.keys if record.account == account)
    address = exit_addresses(own, WALLET_ROLES, state.crossed).get(account)
    named = account in state.crossed.exits
    return ExitView(account=account, address=with_checksum(address) if address else "", named=named)


async def proof(community: Community, seat: Seat, account: AccountId, address: str) -> ProofView:
    """Return what an address that an account sent to shows the Vault.

    Raises:
        Absent: The account sent nothing there.
        Unseen, Refused: As in `seeing.check`; or nothing of it is anchored yet.
        Unreachable: The chain is not open.
    """
    place = _address(community, seat, account, address, Action.SEE_ENTRIES)
    found = await keeper_of(community).proof(place)
    epoch, size, log_root, state_root = found.point
    return ProofView(
        vault=with_checksum(_facts(community).contracts["Vault"]),
        to=with_checksum(place),
        epoch=epoch,
        size=size,
        log_root=log_root.hex(),
        state_root=state_root.hex(),
        row=found.row.hex(),
        index=found.place.index,
        count=found.place.size,
        path=[one.hex() for one in found.place.path],
        sections=[one.hex() for one in found.place.sections],
    )


async def claim(community: Community, seat: Seat, account: AccountId, address: str) -> Claimed:
    """Have the Vault pay what is due to an address that an account sent to.

    Raises:
        Absent: The account sent nothing there.
        Unseen, Refused: As in `seeing.check`; nothing is due, or the operator paid often enough today.
        Unreachable: The chain gives no answer.
    """
    place = _address(community, seat, account, address, Action.SEND_TOKENS)
    keeper = keeper_of(community)
    with keeper.paying_for(account):
        return Claimed(address=with_checksum(place), tx=await keeper.claim(place))


async def held(community: Community, seat: Seat, account: AccountId, address: str) -> HeldView:
    """Return what an address has that an account sent to; raises as `proof`."""
    place = _address(community, seat, account, address, Action.SEE_ENTRIES)
    ergon, watt, tsl = await keeper_of(community).held(place)
    return HeldView(address=with_checksum(place), ergon_micro=ergon, watt_wh=watt, tsl_micro=tsl)


def keeper_of(community: Community) -> ChainKeeper:
    """Return who keeps a community's chain.

    Raises:
        Refused: It has none.
    """
    if community.chain is None:
        raise Refused("tokens leave for the community's chain, and it has none", community=community.name)
    return community.chain


def _facts(community: Community) -> Facts:
    facts = keeper_of(community).facts
    if facts is None:
        raise Refused("a chain is open before it is looked at", trouble=keeper_of(community).trouble)
    return facts


def _address(community: Community, seat: Seat, account: AccountId, address: str, action: Action) -> str:
    check(community, seat, action, account)
    place = address.lower()
    if not any(place == to for to, _ in _sent_by(community, account)):
        raise Absent("what is claimed was sent out to an address before", address)
    return place


def _sent_by(community: Community, account: AccountId) -> dict[tuple[str, Commodity], int]:
    """Return what an account sent out, by address and token, as far back as entries are told here."""
    found: dict[tuple[str, Commodity], int] = {}
    for _, entry in community.chronicle.entries(account, memo=Memo.SENT_OUT, limit=_LOOK_BACK):
        if entry.source == account:
            key = (entry.target.removeprefix(chain_account("")), entry.commodity)
            found[key] = found.get(key, 0) + entry.amount
    return found
