"""An account's payment channels as its seat sees them, and what it can do with them where its key is kept here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from commonwatt.apps.chain_facts import ChannelFact
from commonwatt.apps.community import Community
from commonwatt.apps.views.onchain import keeper_of
from commonwatt.apps.views.seeing import check
from commonwatt.identity.access import Action
from commonwatt.identity.keys import SigningKey
from commonwatt.identity.seat import Seat
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.identity.signing_in.wallet import read_address, with_checksum
from commonwatt.model import AccountId

if TYPE_CHECKING:
    from commonwatt.apps.chain_channels import ChannelDesk, ChannelSent


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelWays:
    """How an account could open a channel.

    Args:
        custodial: Whether its key is kept here, so that the app can open one for it.
        takes: Whether the community's till takes vouchers.
        payee: Who would be paid, with checksum; empty where it takes none.
        delay_s: How long the payee could still claim, once the account takes its deposit back.
        address: Where the account's own ERGON on the chain is, with checksum; empty where its key is not kept here.
        ergon_micro: How much that is.
        number: Of the channel that would be opened next.
    """

    custodial: bool
    takes: bool
    payee: str
    delay_s: int
    address: str
    ergon_micro: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelDone:
    """What was sent for a channel, 64 hex digits each."""

    channel: str
    tx: str


async def channels(community: Community, seat: Seat, account: AccountId) -> list[ChannelFact]:
    """Return the payment channels that an account's own keys pay or are paid by; none where there is no chain.

    Raises:
        Unseen, Refused: As in `seeing.check`.
        Unreachable: The chain gives no answer, or is not open.
    """
    check(community, seat, Action.SEE_ENTRIES, account)
    if community.chain is None:
        return []
    own = [record.verifying.id for record in community.state.keys if record.account == account]
    return await community.chain.channels(own)


async def ways(community: Community, seat: Seat, account: AccountId) -> ChannelWays:
    """Return how an account could open a channel; nothing is taken where there is no chain.

    Raises:
        Unseen, Refused: As in `seeing.check`; or its till takes another token than its own.
        InvalidValue: The file of its till says no such thing.
        Unreachable: The chain gives no answer, or is not open.
    """
    check(community, seat, Action.SEE_ENTRIES, account)
    keeper, custodial = community.chain, community.holds_key(account)
    terms = await keeper.with_channels(lambda desk: desk.terms()) if keeper else None
    place = community.key_of(account).id if custodial else ""
    held = (await keeper.held(place))[0] if keeper and place else 0
    number = 0
    if keeper and place and terms:
        number = await keeper.with_channels(lambda desk: desk.next_number(terms, place, account))
    return ChannelWays(
        custodial=custodial,
        takes=terms is not None,
        payee=with_checksum(terms.payee) if terms else "",
        delay_s=terms.least_delay_s if terms else 0,
        address=with_checksum(place) if place else "",
        ergon_micro=held,
        number=number,
    )


async def open_channel(
    community: Community, seat: Seat, account: AccountId, amount_micro: int, signer: str, number: int
) -> ChannelDone:
    """Open a channel to the community's till from an account's address on the chain, with the key that is kept here.

    Args:
        community: Whose till.
        seat: Who asks.
        account: For whom it pays.
        amount_micro: What is deposited, ERGON.
        signer: The address of a gateway's key that signs vouchers; the account's own where it is empty.
        number: Which of the account's channels it is, as `ways` tells: one that was opened is not opened again.

    Raises:
        Unseen, Refused: As in `seeing.check`; the key is not kept here, there is no till, too little is held, or it
            was opened before.
        InvalidValue: The signer is no address.
        Unreachable: The chain gives no answer.
    """
    who = read_address(signer) if signer else None
    key = _key(community, seat, account, "channel open")
    return await _sent(community, lambda desk: desk.open(key, account, amount_micro, who, number))


async def withdraw(community: Community, seat: Seat, account: AccountId, channel: str) -> ChannelDone:
    """Begin to take back what an account does not owe; raises as `open_channel`, and Refused where it is another's."""
    key = _key(community, seat, account, "channel withdraw")
    return await _sent(community, lambda desk: desk.withdraw(key, channel))


async def finish(community: Community, seat: Seat, account: AccountId, channel: str) -> ChannelDone:
    """End a channel whose payee had its time to claim; raises as `withdraw`."""
    key = _key(community, seat, account, "channel finish")
    return await _sent(community, lambda desk: desk.finish(key, channel))


async def close(community: Community, seat: Seat, account: AccountId, channel: str) -> ChannelDone:
    """Have the community close a channel that pays it, with the last voucher; raises as `withdraw`."""
    payer = _key(community, seat, account, "channel close").id
    return await _sent(community, lambda desk: desk.close(payer, channel))


def _key(community: Community, seat: Seat, account: AccountId, what: str) -> SigningKey:
    check(community, seat, Action.SEND_TOKENS, account)
    key = community.key_of(account)
    # Before it is sent, as of every request: a chain tells whose key it was, and not who used it.
    community.note(seat, Happened.REQUEST_SIGNED, {"kind": what, "account": account, "key": key.id})
    return key


async def _sent(community: Community, do: "Callable[[ChannelDesk], ChannelSent]") -> ChannelDone:
    done = await keeper_of(community).with_channels(do)
    return ChannelDone(channel=done.channel, tx=done.tx)
