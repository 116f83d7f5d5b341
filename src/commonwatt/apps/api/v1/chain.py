"""The community's chain over HTTP: how it stands, who stakes, and tokens on their way out."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, Path, Request, Response

from commonwatt.apps.api.answers import answer
from commonwatt.apps.api.guard import Seated, There, allows
from commonwatt.apps.api.v1.writing import IdempotencyKey, WriteDone, write
from commonwatt.apps.chain_facts import ChannelFact
from commonwatt.apps.views import channels as channel_views
from commonwatt.apps.views import onchain as views
from commonwatt.apps.views.seeing import check
from commonwatt.identity.access import Action
from commonwatt.model import AccountId, InvalidValue, Kind

router = APIRouter(tags=["chain"])
Channel = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="Its id.")]
Address = Annotated[str, Path(pattern=r"^0x[0-9a-fA-F]{40}$", description="Of the chain: 0x and 40 hex digits.")]
_OPEN = {"open": {"summary": "Deposit 20 ERGON", "value": {"deposit_micro": 20_000_000, "number": 0}}}
_SEND_OUT = {
    "send out": {
        "summary": "Send 2.50 ERGON out",
        "value": {
            "commodity": "ergon_micro",
            "amount": 2_500_000,
            "address": "0x00000000000000000000000000000000000000A1",
        },
    }
}

_EXIT_TO = {
    "exit to": {
        "summary": "Name a wallet's address",
        "value": {"address": "0x00000000000000000000000000000000000000A1"},
    }
}


class OpenChannel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A channel that somebody opens; see `views.channels.open_channel`."""

    deposit_micro: Annotated[int, msgspec.Meta(ge=1, le=10**15)]
    number: Annotated[int, msgspec.Meta(ge=0, le=10**6)]
    signer: Annotated[str, msgspec.Meta(pattern=r"^(0x[0-9a-fA-F]{40})?\Z")] = ""


@router.get("/chain", response_model=views.ChainView, summary="The community's chain",
            **allows(Action.SEE_COMMUNITY))  # fmt: skip
async def chain(request: Request, community: There, seat: Seated) -> Response:
    """Its head and what of it is final, contracts, the last checkpoints, and what those cost each member in gas."""
    return answer(request, views.chain(community, seat), private=False)


@router.get("/chain/stake", response_model=views.StakeView, summary="Who stakes", **allows(Action.SEE_COMMUNITY))
async def stake(request: Request, community: There, seat: Seated) -> Response:
    """What witnesses have at stake so that their signatures make a checkpoint count."""
    return answer(request, views.stake(community, seat), private=False)


@router.get("/accounts/{account}/withdrawals", response_model=list[views.Withdrawal],
            summary="What an account sent out to the chain", **allows(Action.SEE_ENTRIES))  # fmt: skip
async def withdrawals(request: Request, community: There, seat: Seated, account: str) -> Response:
    """By address and token: what was sent, what an anchored checkpoint shows of it, and what the Vault paid."""
    return answer(request, views.withdrawals(community, seat, AccountId(account)))


@router.post("/accounts/{account}/withdrawals", response_model=WriteDone, status_code=201,
             summary="Send tokens out to an address of the chain", **allows(Action.SEND_TOKENS))  # fmt: skip
async def send_out(
    request: Request,
    community: There,
    seat: Seated,
    account: str,
    body: Annotated[dict[str, Any], Body(openapi_examples=_SEND_OUT)],
    key: IdempotencyKey = None,
) -> Response:
    """For good: the address takes them out of the Vault once a checkpoint that shows it is anchored."""
    told = {**body, "what": "send out"}
    return await write(request, community, seat, Action.SEND_TOKENS, AccountId(account), Kind.TRANSFER, told, key)


@router.get("/accounts/{account}/withdrawals/{address}/proof", response_model=views.ProofView,
            summary="What the Vault is shown", **allows(Action.SEE_ENTRIES))  # fmt: skip
async def proof(request: Request, community: There, seat: Seated, account: str, address: Address) -> Response:
    """The arguments of `Vault.withdraw`, by which any wallet can claim without this community's help."""
    return answer(request, await views.proof(community, seat, AccountId(account), address))


@router.get("/accounts/{account}/withdrawals/{address}/held", response_model=views.HeldView,
            summary="What an address has on the chain", **allows(Action.SEE_ENTRIES))  # fmt: skip
async def held(request: Request, community: There, seat: Seated, account: str, address: Address) -> Response:
    """ERGON, WATT and TSL of an address that this account sent something to."""
    return answer(request, await views.held(community, seat, AccountId(account), address))


@router.post("/accounts/{account}/withdrawals/{address}/claim", response_model=views.Claimed, status_code=201,
             summary="Have the Vault pay an address", **allows(Action.SEND_TOKENS))  # fmt: skip
async def claim(request: Request, community: There, seat: Seated, account: str, address: Address) -> Response:
    """The operator sends it and pays the chain for it; what was paid before is not paid again."""
    found = await views.claim(community, seat, AccountId(account), address)
    return answer(request, found, status=201)


@router.get("/accounts/{account}/exit", response_model=views.ExitView,
            summary="Where an account exits to", **allows(Action.SEE_ENTRIES))  # fmt: skip
async def exit_of(request: Request, community: There, seat: Seated, account: str) -> Response:
    """The address of the chain to which the account's own goes if the operator stops."""
    return answer(request, views.exit_of(community, seat, AccountId(account)))


@router.post("/accounts/{account}/exit", response_model=WriteDone, status_code=201,
             summary="Name where an account exits to", **allows(Action.SEND_TOKENS))  # fmt: skip
async def exit_to(
    request: Request,
    community: There,
    seat: Seated,
    account: str,
    body: Annotated[dict[str, Any], Body(openapi_examples=_EXIT_TO)],
    key: IdempotencyKey = None,
) -> Response:
    """It stands until another is named, whatever keys are registered later; it counts once it is anchored."""
    told = {**body, "what": "exit to"}
    return await write(request, community, seat, Action.SEND_TOKENS, AccountId(account), Kind.TRANSFER, told, key)


@router.get("/accounts/{account}/channels", response_model=list[ChannelFact], summary="An account's payment channels",
            **allows(Action.SEE_ENTRIES))  # fmt: skip
async def channels(request: Request, community: There, seat: Seated, account: str) -> Response:
    """Those that its own keys pay or are paid by, as final blocks tell: what was deposited and what claimed of it."""
    return answer(request, await channel_views.channels(community, seat, AccountId(account)))


@router.get("/accounts/{account}/channel-ways", response_model=channel_views.ChannelWays,
            summary="How an account could open a payment channel", **allows(Action.SEE_ENTRIES))  # fmt: skip
async def channel_ways(request: Request, community: There, seat: Seated, account: str) -> Response:
    """Whether the community's till takes vouchers, by which terms, and what the account has on the chain for it."""
    return answer(request, await channel_views.ways(community, seat, AccountId(account)))


@router.post("/accounts/{account}/channels", response_model=channel_views.ChannelDone, status_code=201,
             summary="Open a payment channel", **allows(Action.SEND_TOKENS))  # fmt: skip
async def open_channel(
    request: Request,
    community: There,
    seat: Seated,
    account: str,
    body: Annotated[dict[str, Any], Body(openapi_examples=_OPEN)],
) -> Response:
    """To the community's till, with `deposit_micro` of the account's own ERGON on the chain and the key that is kept
    here; `signer` names the address of a gateway's key. `number` is the one that its channel-ways tell: asked again,
    for want of an answer, the same one is opened once."""
    check(community, seat, Action.SEND_TOKENS, AccountId(account))  # first, so that no shape tells of what is there
    try:
        asked = msgspec.convert(body, OpenChannel)
    except msgspec.ValidationError as error:
        raise InvalidValue(
            f"a channel is opened with deposit_micro and number, and perhaps a signer: {error}"
        ) from error
    micro, number = asked.deposit_micro, asked.number
    done = await channel_views.open_channel(community, seat, AccountId(account), micro, asked.signer, number)
    return answer(request, done, status=201)


@router.post("/accounts/{account}/channels/{channel}/withdraw", response_model=channel_views.ChannelDone,
             status_code=201, summary="Begin to take a deposit back", **allows(Action.SEND_TOKENS))  # fmt: skip
async def withdraw_channel(
    request: Request, community: There, seat: Seated, account: str, channel: Channel
) -> Response:
    """The payee can claim what it is owed until the channel's delay is over; it cannot be called back."""
    return answer(request, await channel_views.withdraw(community, seat, AccountId(account), channel), status=201)


@router.post("/accounts/{account}/channels/{channel}/finish", response_model=channel_views.ChannelDone,
             status_code=201, summary="Take a deposit back", **allows(Action.SEND_TOKENS))  # fmt: skip
async def finish_channel(request: Request, community: There, seat: Seated, account: str, channel: Channel) -> Response:
    """Once the delay is over: what was not claimed goes to the payer."""
    return answer(request, await channel_views.finish(community, seat, AccountId(account), channel), status=201)


@router.post("/accounts/{account}/channels/{channel}/close", response_model=channel_views.ChannelDone,
             status_code=201, summary="Have a payment channel closed", **allows(Action.SEND_TOKENS))  # fmt: skip
async def close_channel(request: Request, community: There, seat: Seated, account: str, channel: Channel) -> Response:
    """By the community that it pays, with the last voucher that its till holds: both sides are paid out at once."""
    return answer(request, await channel_views.close(community, seat, AccountId(account), channel), status=201)
