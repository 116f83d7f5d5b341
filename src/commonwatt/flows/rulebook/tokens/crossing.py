"""Rules for tokens that leave the ledger for the chain, and for those that come back.

**Out.** What a member sends out goes to the account of an address there, at once and for good: it only grows, and the
Vault pays the difference between what a final state says of it and what it has paid before. So nothing is booked here
when the tokens are taken out, nothing can be replayed, and an old state pays nothing.

**In.** The crossing desk's key tells what the Vault took in, in its order, from blocks that are final. What is said
twice counts once, as of purchases: a repeat is `ALREADY_THERE`, what contradicts what was said before is
`NOT_ALLOWED`, and what comes before its turn is `UNKNOWN_THING`, to be said again later. What cannot be credited (no
such account, no room, more than can have been outside, a count at its end) is counted all the same, so that those after
it go on, and the state says that it was refused: by that the Vault gives it back to the address it came from, by what
it knows itself of the deposit. Nothing is booked, so a desk that errs hands out nothing by this.

**Books.** What came back stands as a debt of `CHAIN_PORT`, so what is outside is the sum over all accounts of addresses
and that one, and the books add up to nothing. For ERGON it can be below zero: a seller may mint on the chain for whom
he likes, and that comes in too. There is no more TSL than the founding made: what comes in beyond what was sent out was
never handed out here, and is taken from `VAULT`. Accounts of addresses only grow, and `CHAIN_PORT` only falls: both end
at `MOST_CROSSED`, half of what books can hold, so that settlement has room beside them.

**WATT outside** is still a claim on energy stored here: its energy stays locked, and nobody calls it. Where that energy
is used or lost all the same, the storage's owner buys it back (`storage`), and the money waits for whoever brings WATT
in: what was bought back comes in first, as money, and only beyond it WATT comes in as WATT.
"""

from hashlib import sha256

from commonwatt.flows.rulebook.bodies import write_body
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.backing import free, outside, room_wh
from commonwatt.flows.rulebook.tokens.crossing_bodies import CrossingBody, Deposited, ExitTo, SendOut
from commonwatt.identity.keys import VerifyingKey
from commonwatt.identity.signing_in.wallet import with_checksum
from commonwatt.model import (
    CHAIN_HELD,
    CHAIN_PORT,
    COMMISSION_POOL,
    EDUCATION_POT,
    MAX_SAFE_INTEGER,
    SLOT_SECONDS,
    VAULT,
    AccountId,
    Commodity,
    KeyId,
    Memo,
    Outcome,
    Request,
    canonical_json,
    chain_account,
)

TOKENS = (Commodity.ERGON, Commodity.WATT, Commodity.TSL)
_POTS = (COMMISSION_POOL, EDUCATION_POT)
"""Who is paid for storage by holders of WATT outside, in TSL."""
MOST_CROSSED = 2**52
"""What stands at most on the account of an address, on `CHAIN_PORT` below zero, and on an account by what came in."""
_NOBODY = "0x" + 40 * "0"


def crossing(state: State, request: Request, body: CrossingBody, position: int, stamped_s: int) -> Outcome:
    """Take in a member's wish to send tokens out, or what the desk says came in."""
    record = state.keys[request.author]
    desk = record.role == "chain" and record.account == request.on_behalf_of
    if desk != isinstance(body, Deposited):
        return Outcome.NOT_ALLOWED
    if isinstance(body, Deposited):
        return _deposited(state, body, position, stamped_s)
    if isinstance(body, ExitTo):
        return _exit_to(state, request.on_behalf_of, body)
    return _send_out(state, request.on_behalf_of, body, position, stamped_s)


def digest_of(body: Deposited) -> bytes:
    """Return what the state remembers of a deposit, 32 bytes: in other words it is another one."""
    return sha256(canonical_json(write_body(body))).digest()


def _send_out(state: State, source: AccountId, body: SendOut, position: int, stamped_s: int) -> Outcome:
    if not state.has_chain or not state.has_wallet(source) or body.commodity not in TOKENS:
        return Outcome.NOT_ALLOWED
    address = _address(body.address)
    if address is None:
        return Outcome.UNKNOWN_THING
    if _is_lost_at(state, address):
        return Outcome.NOT_ALLOWED
    if free(state, source, body.commodity) < body.amount:
        return Outcome.NOT_BACKED
    target = chain_account(address)
    ever = state.crossed.sent[body.commodity] + body.amount
    if state.accounts.balance(target, body.commodity) + body.amount > MOST_CROSSED or ever > MAX_SAFE_INTEGER:
        return Outcome.OVER_LIMIT
    state.crossed.sent[body.commodity] = ever
    _move(state, body.commodity, source, target, body.amount, Memo.SENT_OUT, position, stamped_s)
    return Outcome.BOOKED


def _exit_to(state: State, account: AccountId, body: ExitTo) -> Outcome:
    address = _address(body.address)
    if not state.has_chain or not state.has_wallet(account):
        return Outcome.NOT_ALLOWED
    if address is None:
        return Outcome.UNKNOWN_THING
    if _is_lost_at(state, address):
        return Outcome.NOT_ALLOWED
    if state.crossed.exits.get(account) == address:
        return Outcome.ALREADY_THERE
    state.crossed.exits[account] = address
    state.registry_version += 1
    return Outcome.BOOKED


def _is_lost_at(state: State, address: KeyId) -> bool:
    """Tell whether nobody could take out again what comes to an address: the Vault's own, or that of a P-256 key."""
    if state.crossed.vault is not None and address == state.crossed.vault.vault:
        return True
    record = state.keys.get(address)
    return record is not None and not isinstance(record.verifying, VerifyingKey)


def _address(told: str) -> KeyId | None:
    """Return an address in lower case; None for nobody's, and for one whose checksum is wrong."""
    address = KeyId(told.lower())
    return address if address != _NOBODY and told in (address, with_checksum(address)) else None


def _deposited(state: State, body: Deposited, position: int, stamped_s: int) -> Outcome:
    digest = digest_of(body)
    if body.number < state.crossed.count:
        return Outcome.ALREADY_THERE if digest == state.crossed.digest(body.number) else Outcome.NOT_ALLOWED
    if body.number > state.crossed.count:
        return Outcome.UNKNOWN_THING
    if body.block < state.crossed.block or body.commodity not in TOKENS:
        return Outcome.NOT_ALLOWED
    target = AccountId(body.account)
    if _possible(state, body) and _can_have(state, target, body):
        _credit(state, target, body, position, stamped_s)
    else:
        state.crossed.refused[body.number] = body.sender
    state.crossed.took(digest, body.block)
    return Outcome.BOOKED


def _possible(state: State, body: Deposited) -> bool:
    """Tell whether there can be so much outside, and whether what came in can still be counted."""
    port = state.accounts.balance(CHAIN_PORT, body.commodity)
    if body.amount - port > MOST_CROSSED:
        return False
    if body.commodity is Commodity.WATT:
        return body.amount <= outside(state, Commodity.WATT) + state.crossed.bought_wh
    if body.commodity is Commodity.TSL:
        return body.amount <= outside(state, Commodity.TSL) + state.tsl(VAULT)
    return True


def _can_have(state: State, account: AccountId, body: Deposited) -> bool:
    if body.commodity is Commodity.TSL and account in _POTS:
        return True
    if not state.has_wallet(account):
        return False
    if body.commodity is Commodity.WATT:
        room = body.amount - state.crossed.bought_wh <= max(0, room_wh(state, account))
        return room and state.ergon(account) + state.ergon(CHAIN_HELD) <= MOST_CROSSED
    return state.accounts.balance(account, body.commodity) + body.amount <= MOST_CROSSED


def _credit(state: State, account: AccountId, body: Deposited, position: int, stamped_s: int) -> None:
    amount, bought_wh = body.amount, state.crossed.bought_wh
    if body.commodity is Commodity.WATT and bought_wh:
        paid_wh = min(amount, bought_wh)
        micro = state.ergon(CHAIN_HELD) * paid_wh // bought_wh
        _move(state, Commodity.ERGON, CHAIN_HELD, account, micro, Memo.CAME_IN, position, stamped_s)
        state.crossed.bought_wh -= paid_wh
        amount -= paid_wh
    _take_in(state, account, body.commodity, amount, position, stamped_s)


def _take_in(state: State, target: AccountId, commodity: Commodity, amount: int, position: int, stamped_s: int) -> None:
    """Book what came in: from what was outside, and TSL beyond that from what was never handed out."""
    new = max(0, amount - outside(state, commodity)) if commodity is Commodity.TSL else 0
    _move(state, commodity, VAULT, target, new, Memo.CAME_IN, position, stamped_s)
    _move(state, commodity, CHAIN_PORT, target, amount - new, Memo.CAME_IN, position, stamped_s)


def _move(
    state: State,
    commodity: Commodity,
    source: AccountId,
    target: AccountId,
    amount: int,
    memo: Memo,
    position: int,
    stamped_s: int,
) -> None:
    slot_s = stamped_s // SLOT_SECONDS * SLOT_SECONDS
    state.move(commodity, source, target, amount, slot_s=slot_s, memo=memo, ref=str(position))
