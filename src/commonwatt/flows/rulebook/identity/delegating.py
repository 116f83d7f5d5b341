"""Rules for delegation: an owner lets another key do named things, until a date or until it is taken back.

What may be delegated is in `DELEGABLE`: never delegation itself, so that no chain grows; never attesting, paying out
or buying, which stay with who answers for them. Whoever runs the community, tells its facts, plans or meters is no
delegate: these act for all, and for nobody in particular. Those who run the wires, and retailers, may be let look and
do nothing else: they see zones, and a home where its owner lets them (row X6). One key has one delegation of an
account; a new one stands in place of the old. What was done while it held stays done.
"""

from commonwatt.flexibility import language
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.identity import trust_bodies
from commonwatt.flows.rulebook.identity.trusted import Delegation
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.crossing_bodies import CrossingBody
from commonwatt.identity.keys import VerifyingKey
from commonwatt.model import (
    AccountId,
    AssetId,
    InvalidValue,
    KeyId,
    Kind,
    Outcome,
    Reach,
    Refused,
    Request,
    instant,
    zone_of,
)

INSPECT = "inspect"
"""To read about assets, see `commonwatt.flows.inspect`; no request of the log."""
ABOUT_ASSETS = frozenset({Kind.CONSTRAINT.value, Kind.CONSENT.value, INSPECT})
"""What a delegation that is narrowed to assets can be about."""
DELEGABLE = ABOUT_ASSETS | {
    Kind.REGISTER.value,
    Kind.ORDER.value,
    Kind.ORDER_BATCH.value,
    Kind.CANCEL.value,
    Kind.TRANSFER.value,
}
MOST_DELEGATES = 32
"""Of one account."""
_DELEGATES = frozenset({"agent", "installer", "auditor", "aggregator", "engineer", "inspector", "member"})
_LOOKERS = frozenset({"dso", "tso", "utility"})
"""Who may be let `INSPECT` and nothing beyond it."""


def delegate(state: State, request: Request, body: trust_bodies.Delegate, position: int, stamped_s: int) -> Outcome:
    """Let a registered key act for the request's account, or no longer, from the next request on."""
    try:
        key = VerifyingKey(bytes.fromhex(body.to)).id
    except InvalidValue:
        return Outcome.UNKNOWN_THING
    account = request.on_behalf_of
    if isinstance(body, trust_bodies.Revoke):
        return _revoke(state, account, key)
    outcome = _grantable(state, account, key, body, stamped_s)
    if outcome is not Outcome.BOOKED:
        return outcome
    standing = state.trusted.delegations.get(account, {})
    standing = {other: known for other, known in standing.items() if known.until_s > stamped_s and other != key}
    if len(standing) >= MOST_DELEGATES:
        return Outcome.OVER_LIMIT
    standing[key] = Delegation(
        position=position,
        kinds=tuple(sorted(body.kinds)),
        until_s=body.until_s,
        assets=None if body.assets is None else tuple(AssetId(asset) for asset in sorted(body.assets)),
    )
    state.trusted.delegations[account] = standing
    state.registry_version += 1
    return Outcome.BOOKED


def permits(state: State, request: Request, body: object, stamped_s: int) -> bool:
    """Tell whether the author of a request may ask it for somebody else's account at the log's time."""
    delegation = standing_delegation(state, request.on_behalf_of, request.author, stamped_s)
    return delegation is not None and covers(delegation, request.kind, body, state.charter.timezone)


def covers(delegation: Delegation | trust_bodies.Grant, kind: Kind, body: object, timezone: str) -> bool:
    """Tell whether a delegation, as it stands or as it was granted, is about a request; its dates are not looked at.

    Args:
        delegation: What the owner lets somebody do.
        kind: Of the request.
        body: What `bodies.read_body` made of its body.
        timezone: The community's, in which statements are read.
    """
    if kind.value not in delegation.kinds:
        return False
    if kind is Kind.REGISTER:
        return isinstance(body, bodies.RegisterAsset)
    if isinstance(body, CrossingBody):
        return False  # out of the ledger is out of reach, as paying out is
    return delegation.assets is None or _about(body, timezone) <= set(delegation.assets)


def standing_delegation(state: State, account: AccountId, key: KeyId, at_s: int) -> Delegation | None:
    """Return what an account lets a key do at an instant, or None."""
    delegation = state.trusted.delegations.get(account, {}).get(key)
    return delegation if delegation is not None and at_s < delegation.until_s else None


def acting_role(state: State, request: Request) -> str:
    """Return the role in which the author of a permitted request speaks: a delegate has the owner's, not its own."""
    record = state.keys[request.author]
    return record.role if record.account == request.on_behalf_of else "member"


def _grantable(state: State, account: AccountId, key: KeyId, body: trust_bodies.Grant, stamped_s: int) -> Outcome:
    record = state.keys.get(key)
    if record is None:
        return Outcome.UNKNOWN_THING
    only_looks = record.role in _LOOKERS and set(body.kinds) == {INSPECT}
    if not (record.role in _DELEGATES or only_looks) or record.account == account:
        return Outcome.NOT_ALLOWED
    if body.until_s <= stamped_s:
        return Outcome.TOO_LATE
    if not set(body.kinds) <= (DELEGABLE if body.assets is None else ABOUT_ASSETS):
        return Outcome.OVER_LIMIT
    for name in body.assets or ():
        asset = state.assets.get(AssetId(name))
        if asset is None:
            return Outcome.UNKNOWN_THING
        if asset.owner != account:
            return Outcome.NOT_ALLOWED
    return Outcome.BOOKED


def _revoke(state: State, account: AccountId, key: KeyId) -> Outcome:
    standing = state.trusted.delegations.get(account, {})
    if key not in standing:
        return Outcome.UNKNOWN_THING
    del standing[key]
    if not standing:
        del state.trusted.delegations[account]
    state.registry_version += 1
    return Outcome.BOOKED


def _about(body: object, timezone: str) -> set[str]:
    """Return the assets that a request is about; of one about none, or that cannot be read, a name that no asset has.

    What is about anything else is about more than any asset.
    """
    if isinstance(body, bodies.ConsentBody | bodies.DecisionBody):
        return {body.asset or ""}
    if not isinstance(body, bodies.ConstraintBody):
        return {""}
    try:
        said = language.read(body.text, instant(body.said_s), zone_of(timezone))
    except (Refused, InvalidValue):
        return {""}
    about = (statement.scope if statement.reach is Reach.ASSET else ("",) for statement in said.statements)
    return {name for names in about for name in names}
