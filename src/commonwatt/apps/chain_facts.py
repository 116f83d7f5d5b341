"""What an app knows of its community's chain, as of its last look: plain values, for views to show."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from commonwatt.flows.chain_ports import Account

Amounts = tuple[int, int, int]
"""ERGON, WATT and TSL, in base units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFact:
    """A block: number, hash (64 hex digits) and time, seconds since 1970."""

    number: int
    hash: str
    time_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored:
    """A checkpoint on the chain.

    Args:
        size: Leaves of the log under it.
        slot_s: The slot that it closes.
        log_root, state_root: 64 hex digits each.
        block: Number of its block.
        tx: The transaction, 64 hex digits.
        gas: What that used.
        weight: Stake that signed, TSL micro.
        bonded: Stake that counted then.
    """

    size: int
    slot_s: int
    log_root: str
    state_root: str
    block: int
    tx: str
    gas: int
    weight: int
    bonded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Staked:
    """What a witness has at stake.

    Args:
        witness: Its address.
        name: The witness's own; empty for the operator's.
        stake_micro: TSL.
        earned_micro: TSL that it can collect.
        free_s: When it is free to go, by the chain's time; 0 where it is bonded.
        admitted: Whether it may bond.
    """

    witness: Account
    name: str
    stake_micro: int
    earned_micro: int
    free_s: int
    admitted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFact:
    """A payment channel, as final blocks tell.

    Args:
        channel: Its id, 64 hex digits.
        payer: Who deposited.
        payee: Who is paid.
        signer: Whose key signs vouchers.
        token: In what, by the contract's name; its address where it is none of ours.
        deposit: What was deposited, base units.
        claimed: What of it was claimed.
        vouchers: What the best voucher is of that the till in this folder holds.
        finish_at_s: When the payer can take back the rest; 0 where that was not begun.
        can_finish: Whether that moment has come.
        closed: Whether it is over.
        can_close: Whether its payee's key is kept here, so that it can be closed with its last voucher.
    """

    channel: str
    payer: Account
    payee: Account
    signer: Account
    token: str
    deposit: int
    claimed: int
    vouchers: int
    finish_at_s: int
    can_finish: bool
    closed: bool
    can_close: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All of it.

    Args:
        kind: ``embedded`` or ``network``.
        chain_id: The chain's number.
        head: The last block seen.
        final: The last one that stays.
        contracts: Addresses by name.
        operator: Whose key sends here.
        rpc: Where wallets on this machine find the chain; empty for nowhere.
        stage: How far the log's last final checkpoint has come, see `commonwatt.flows.anchoring.Stage`.
        anchored: The last checkpoints, the newest first.
        anchored_count: How many there were.
        final_size: Leaves of the log that a final block holds.
        own_word: Whether no witness is registered, so that the operator's own key signs alone.
        stakes: What witnesses have at stake.
        bonded_micro: TSL that count.
        pool_micro: TSL out of which signers are rewarded.
        waiting_roles: Roles that are announced and not given yet.
        deposits: How many deposits the Vault took in, in final blocks.
        bound: Whether the Vault was shown that the ledger names it; before, it takes in and pays nothing.
        provable: What was sent out by address, ever, as the last anchored state says.
        claimed: What of it was paid out by the Vault.
    """

    kind: str
    chain_id: int
    head: BlockFact
    final: BlockFact
    contracts: Mapping[str, Account]
    operator: Account
    rpc: str
    stage: str
    anchored: tuple[Anchored, ...]
    anchored_count: int
    final_size: int
    own_word: bool
    stakes: tuple[Staked, ...]
    bonded_micro: int
    pool_micro: int
    waiting_roles: tuple[str, ...] = ()
    deposits: int = 0
    bound: bool = False
    provable: Mapping[Account, Amounts] = field(default_factory=dict)
    claimed: Mapping[Account, Amounts] = field(default_factory=dict)
