"""Devices over HTTP: how they fare, what each driver admits of itself, and one claimed by its gateway's number."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, Request, Response

from commonwatt.apps import devicing
from commonwatt.apps.api.answers import answer
from commonwatt.apps.api.guard import Seated, There, allows, kept
from commonwatt.apps.api.v1.writing import IdempotencyKey, WriteDone, write
from commonwatt.apps.views import devices as views
from commonwatt.apps.views import lives
from commonwatt.apps.views.seeing import check
from commonwatt.identity.access import Action
from commonwatt.model import AccountId, AssetKind, InvalidValue, Kind

router = APIRouter(tags=["devices"])
_CLAIM = {
    "battery": {
        "summary": "A battery behind one's own gateway",
        "value": {"number": "HEPEK-0001", "name": "cellar", "kind": "battery", "most_w": 3000, "capacity_wh": 10000},
    },
    "heat pump": {
        "summary": "A heat pump with a meter of its own",
        "value": {"number": "HEPEK-0001", "name": "warmth", "kind": "heat pump", "most_w": 3000, "least_w": 900},
    },
}


class Claim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device that somebody claims; see `views.devices.claim`."""

    number: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    kind: AssetKind
    most_w: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    capacity_wh: Annotated[int, msgspec.Meta(ge=0, le=100_000_000)] = 0
    least_w: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0


@router.get("/devices", response_model=list[views.DeviceView], summary="Devices", **allows(Action.SEE_DEVICES))
async def devices(request: Request, community: There, seat: Seated) -> Response:
    """All that who asks may see, by name: whether they tell, and what they answered last."""
    return kept(request).answer(request, community, seat, lambda: views.devices(community, seat))


@router.get("/drivers", response_model=list[dict[str, Any]], summary="Drivers", **allows(Action.SEE_COMMUNITY))
async def drivers(request: Request) -> Response:
    """What every installed driver does, what it need not do, and what is missing."""
    return answer(request, devicing.admissions(), private=False)


@router.get("/devices/{name}/life", response_model=lives.Life | None, summary="A device as its gateway knows it",
            **allows(Action.SEE_DEVICES))  # fmt: skip
async def life(request: Request, community: There, seat: Seated, name: str) -> Response:
    """Nameplate with firmware, quarantine, and what was written down; null where its gateway is on another machine."""
    return answer(request, lives.life(community, seat, name))


@router.post("/devices/{name}/release", response_model=lives.Life | None, summary="Let a device out of quarantine",
             **allows(Action.RELEASE_DEVICE))  # fmt: skip
async def release(request: Request, community: There, seat: Seated, name: str) -> Response:
    """Its gateway takes it up within a second or so, and writes down who said so."""
    lives.release(community, seat, name)
    return answer(request, lives.life(community, seat, name))


@router.post("/accounts/{account}/devices", response_model=WriteDone, status_code=201, summary="Claim a device",
             **allows(Action.MANAGE_DEVICES))  # fmt: skip
async def claim(
    request: Request,
    community: There,
    seat: Seated,
    account: str,
    body: Annotated[dict[str, Any], Body(openapi_examples=_CLAIM)],
    key: IdempotencyKey = None,
) -> Response:
    """By the `number` on its gateway, with a `name`, its `kind`, `most_w`, and of a store `capacity_wh` (row H1).

    Of a heat pump `least_w`, what it draws at least while it runs: without it nobody sees whether it starts too often.
    """
    check(community, seat, Action.MANAGE_DEVICES, AccountId(account))  # first, so that no shape tells of what is there
    try:
        asked = msgspec.convert(body, Claim)
    except msgspec.ValidationError as error:
        raise InvalidValue(f"a claim is number, name, kind, most_w, capacity_wh and least_w: {error}") from error
    told = views.claim(
        community,
        seat,
        AccountId(account),
        asked.number,
        asked.name,
        asked.kind,
        most_w=asked.most_w,
        capacity_wh=asked.capacity_wh,
        least_w=asked.least_w,
    )
    about = Action.MANAGE_DEVICES
    return await write(request, community, seat, about, AccountId(account), Kind.REGISTER, told, key, body)
