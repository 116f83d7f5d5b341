"""A home at a glance, over HTTP."""

from fastapi import APIRouter, Request, Response

from commonwatt.apps.api.guard import Seated, There, allows, kept
from commonwatt.apps.views import home as views
from commonwatt.identity.access import Action
from commonwatt.model import AccountId

router = APIRouter(prefix="/homes", tags=["homes"])


@router.get("/{account}", response_model=views.Home, summary="A home at a glance", **allows(Action.SEE_READINGS))
async def home(request: Request, community: There, seat: Seated, account: str) -> Response:
    """Mean power of the last slot, the local day's money, levels, and what comes next and why."""
    return kept(request).answer(request, community, seat, lambda: views.home(community, seat, AccountId(account)))
