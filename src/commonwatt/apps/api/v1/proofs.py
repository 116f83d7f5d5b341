"""Proofs over HTTP: of checkpoint, leaf, reading and entry, and the files that `commonwatt verify` checks."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from commonwatt.apps.api.answers import answer
from commonwatt.apps.api.guard import Seated, There, allows
from commonwatt.apps.views import proof as views
from commonwatt.identity.access import Action
from commonwatt.model import MAX_SAFE_INTEGER, AccountId

router = APIRouter(prefix="/proofs", tags=["proofs"])
Place = Annotated[int, Path(ge=0, le=MAX_SAFE_INTEGER)]
Slot = Annotated[int, Path(ge=0, le=32_503_680_000)]


@router.get("/checkpoint", response_model=views.Proof, summary="The last checkpoint", **allows(Action.SEE_COMMUNITY))
async def checkpoint(request: Request, community: There, seat: Seated) -> Response:
    """The signed note, and which witnesses cosigned it so far."""
    return answer(request, await views.checkpoint(community, seat), private=False)


@router.get("/leaves/{position}", response_model=views.Proof, summary="Prove a leaf", **allows(Action.SEE_LOG))
async def leaf(request: Request, community: There, seat: Seated, position: Place) -> Response:
    """A request, what became of it, and its inclusion proof; without content where that is its owner's."""
    return answer(request, await views.leaf(community, seat, position))


@router.get("/readings/{name}/{slot_s}", response_model=views.Proof, summary="Prove a reading",
            **allows(Action.SEE_READINGS))  # fmt: skip
async def reading(request: Request, community: There, seat: Seated, name: str, slot_s: Slot) -> Response:
    """One meter's record of a slot, out of its gateway's signed batch."""
    return answer(request, await views.reading(community, seat, name, slot_s))


@router.get("/entries/{number}", response_model=views.Proof, summary="Prove an entry", **allows(Action.SEE_ENTRIES))
async def entry(request: Request, community: There, seat: Seated, number: Place) -> Response:
    """An entry of the books up to the state root; the first question runs the whole log again, so it may wait."""
    return answer(request, await views.entry(community, seat, number))


@router.get("/evidence/{account}/{slot_s}", summary="Evidence of a slot", response_class=Response,
            **allows(Action.SEE_READINGS))  # fmt: skip
async def evidence(community: There, seat: Seated, account: str, slot_s: Slot) -> Response:
    """How an account's slot was settled, as a file for `commonwatt verify`."""
    return _file(await views.evidence(community, seat, AccountId(account), slot_s), "evidence.json")


@router.get("/chains/{name}/{slot_s}", summary="Chain of evidence", response_class=Response,
            **allows(Action.SEE_READINGS))  # fmt: skip
async def chain(community: There, seat: Seated, name: str, slot_s: Slot) -> Response:
    """From what was asked of an asset to what flowed, as a file for `commonwatt verify`."""
    return _file(await views.chain(community, seat, name, slot_s), "chain.json")


@router.get("/trust", summary="Whom to believe", response_class=Response, **allows(Action.SEE_COMMUNITY))
async def trust(community: There, seat: Seated) -> Response:
    """The community's public keys, `community.pub`; who checks in earnest has them from somebody else."""
    return _file(views.trust(community, seat), "community.pub")


def _file(content: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return Response(content, media_type="application/json", headers=headers)
