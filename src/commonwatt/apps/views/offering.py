"""An offer of a contract before it is made: what its terms come to, or why it may not stand (row W5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import check
from commonwatt.flexibility.permission import Objection
from commonwatt.flows.rulebook.bodies import read_body
from commonwatt.flows.rulebook.market.contracts.contract_bodies import MakeOffer
from commonwatt.flows.rulebook.market.contracts.offering import OFFERING, offer_objection, terms_of
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.identity.access import Action, Relation, lets, sees_zone
from commonwatt.identity.seat import Seat
from commonwatt.market.contracts import most_paid_micro
from commonwatt.model import AccountId, Commodity, InvalidValue, Kind, Outcome, zone_of

_ROUND_MICRO = 10_000
"""To how much a budget is rounded up that nobody named: each contract's stake is rounded up by a few micro."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """What an offer would come to, by asking alone.

    Args:
        may: Whether it could be made now.
        why: Which rule says no; empty where it could.
        found: What was found, by name.
        start_s: When the first window starts that could be held; None where there is none.
        end_s: When it ends.
        most_micro: What all its windows cost, where all the power is promised, called and delivered at the most.
        budget_micro: What would be set aside, which is that and no more where nobody named it.
        free_micro: What its account has for it.
    """

    may: bool
    why: str
    found: dict[str, Any]
    start_s: int | None
    end_s: int | None
    most_micro: int
    budget_micro: int
    free_micro: int


def offers_here(community: Community, seat: Seat) -> bool:
    """Tell whether a seat's account is one that can offer: by its role, and by a key of the log that may."""
    if seat.account is None or not lets(seat, Action.OFFER_CONTRACT, Relation.OWN):
        return False
    keys = community.state.keys
    return community.state.has_wallet(seat.account) and any(keys.has_role(seat.account, role) for role in OFFERING)


def weigh(community: Community, seat: Seat, account: AccountId, told: Mapping[str, Any]) -> Weighed:
    """Return what an offer would come to.

    Args:
        community: With the money that is free.
        seat: Who asks.
        account: Who would pay.
        told: Its body as the guide to contracts has it; without ``budget_micro`` what it may come to is set aside.

    Raises:
        Unseen, Refused: The seat offers nothing for this account.
        InvalidValue: The body is none of an offer.
    """
    check(community, seat, Action.OFFER_CONTRACT, account)
    body = _read(completed(told))
    no = objection(community, seat, account, body)
    found = _next_window(community, body)
    return Weighed(
        may=no is None,
        why="" if no is None else no.rule,
        found={} if no is None else dict(no.found),
        start_s=found[1] if found else None,
        end_s=found[2] if found else None,
        most_micro=_most_micro(body),
        budget_micro=body.budget_micro,
        free_micro=free(community.state, account, Commodity.ERGON),
    )


def objection(community: Community, seat: Seat, account: AccountId, body: MakeOffer) -> Objection | None:
    """Return why a seat may not make an offer for an account, or None: the log's own rules, and its zones."""
    state, now_s = community.state, _now_s(community)
    no = offer_objection(state, account, body, now_s)
    if no is not None:
        return no
    if seat.zones and (body.zone is None or not sees_zone(seat, body.zone)):
        found = {"zone": body.zone or "all", "may": ", ".join(seat.zones)}
        return Objection(Outcome.NOT_ALLOWED, "a seat offers in its own zones", found)
    if body.zone is not None and all(one.zone != body.zone for one in state.assets.values()):
        return Objection(Outcome.UNKNOWN_THING, "an offer is for a zone that there is", {"zone": body.zone})
    if _next_window(community, body) is None:
        found_s = {"until_s": body.until_s, "notice_s": body.notice_s}
        return Objection(Outcome.TOO_LATE, "an offer has a window that is still to come", found_s)
    return None


def completed(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return an offer's body with what it may come to as its budget, where none is named.

    Raises:
        InvalidValue: The body is none of an offer.
    """
    whole = {"budget_micro": 0, **told, "what": "offer"}
    if "budget_micro" not in told:
        most = _most_micro(_read(whole))
        whole["budget_micro"] = -(-most // _ROUND_MICRO) * _ROUND_MICRO
    return whole


def _read(told: Mapping[str, Any]) -> MakeOffer:
    body = read_body(Kind.CONTRACT, told)
    assert isinstance(body, MakeOffer)  # it is told as an offer
    return body


def _next_window(community: Community, body: MakeOffer) -> tuple[int, int, int] | None:
    try:
        terms = terms_of(body)
    except InvalidValue:
        return None
    return terms.next_window(_now_s(community) + terms.notice_s, zone_of(community.state.charter.timezone))


def _most_micro(body: MakeOffer) -> int:
    """Return what an offer costs at most; zero where its terms contradict each other, which the rules say better."""
    try:
        terms = terms_of(body)
    except InvalidValue:
        return 0
    return most_paid_micro(terms, terms.power_w, terms.power_w) * terms.most_windows


def _now_s(community: Community) -> int:
    return max(community.told_s, community.now_s())
