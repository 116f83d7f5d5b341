"""Who may have said what a bundle shows: registered keys in their roles, and delegates under a grant that is shown."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from commonwatt.flexibility import language
from commonwatt.flexibility.permission import SAYS, claim_objection
from commonwatt.flows.evidence import Said, need
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.identity.delegating import covers
from commonwatt.flows.rulebook.identity.trust_bodies import Grant
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.identity.keys import VerifyingKey
from commonwatt.identity.p256 import AnyVerifyingKey
from commonwatt.model import KeyId, Outcome, Refused, instant, zone_of


@dataclass(frozen=True, slots=True)
class Key:
    """A key whose registration is shown."""

    verifying: AnyVerifyingKey
    role: str
    account: str
    position: int


def needed(log: Sequence[Said], keys: Mapping[KeyId, Said], spoken: Iterable[Said]) -> list[Said]:
    """Return what a bundle shows so that readers can tell who spoke: registrations of keys, and grants to delegates.

    Args:
        log: All of it, in order.
        keys: Where each key was registered.
        spoken: What the case is about.
    """
    authors, grants = set[KeyId](), dict[int, Said]()
    for one in spoken:
        authors.add(one.request.author)
        body = keys[one.request.author].body
        own = body.account if isinstance(body, bodies.RegisterKey) else one.request.on_behalf_of
        if own != one.request.on_behalf_of and (grant := _grant(log, one)):
            grants[grant.row.position] = grant
            authors.add(grant.request.author)
    return [*(keys[author] for author in authors), *grants.values()]


def check_signatures(
    said: Sequence[Said],
    keys: Mapping[KeyId, Key],
    roles_of: Callable[[object], Set[str]],
) -> tuple[None, str]:
    """Check that every leaf after the first was signed by one who may say such a thing, and that no key is idle.

    Args:
        said: What is shown, in log order, the founding first; registrations of keys were checked before.
        keys: What those registered.
        roles_of: The roles in which a body may be said; none for one that has no part in the case.

    Raises:
        Refused: A signature, role, account or grant is missing or wrong, or something is shown for nothing.
    """
    spoken, used, founding = set[KeyId](), set[int](), said[0].body
    assert isinstance(founding, bodies.RegisterCommunity)
    for one in said[1:]:
        request, position = one.request, one.row.position
        if isinstance(one.body, bodies.RegisterKey | bodies.RegisterGateway):
            continue
        roles = {"member"} if isinstance(one.body, Grant) else roles_of(one.body)
        need(bool(roles), "every leaf has a part in the case", position=position, kind=request.kind)
        key = keys.get(request.author)
        if key is None or key.position > position:
            raise Refused("a key is registered before it speaks", position=position, author=request.author)
        if key.account != request.on_behalf_of and (grant := _grant(said, one)):
            need("member" in roles, "a delegate says what is for a member to say", position=position)
            used.add(grant.row.position)
        else:
            need(
                key.role in roles,
                f"this is for a {' or '.join(sorted(roles))} to say",
                position=position,
                found=key.role,
            )
            speaks = key.account == request.on_behalf_of
            need(speaks, "a key speaks for its account", position=position, key=key.account)
        signed = key.verifying.verify(request.signed_bytes(), request.signature)
        need(signed, "a request is signed by its author", position=position, author=request.author)
        spoken.add(request.author)
        if isinstance(one.body, bodies.ConstraintBody):
            _claims(
                one.body, founding.timezone, "member" if key.account != request.on_behalf_of else key.role, position
            )
    idle = sorted(keys.keys() - spoken)
    need(not idle, "every shown key speaks in the case", idle=idle)
    unused = [one.row.position for one in said if isinstance(one.body, Grant) and one.row.position not in used]
    need(not unused, "every shown grant is used in the case", unused=unused)
    return None, f"{len(said)} requests are signed by their authors" + (f", {len(used)} grants used" if used else "")


def slot_roles(body: object) -> set[str]:
    """Return who may say what a case about a slot is made of."""
    match body:
        case bodies.RegisterAsset() | order_bodies.SlotOrder():
            return {"member"}
        case bodies.ReadingBatch():
            return {"gateway"}
        case bodies.FactBody():
            return {"oracle"}
        case _:
            return set()


def chain_roles(body: object) -> set[str]:
    """Return who may say what a chain is made of."""
    match body:
        case bodies.RegisterAsset() | bodies.ConsentBody() | bodies.DecisionBody():
            return {"member"}
        case bodies.ConstraintBody():
            return set(SAYS)
        case bodies.ScheduleBody():
            return {"planner"}
        case bodies.AckBody() | bodies.ReadingBatch():
            return {"gateway"}
        case _:
            return set()


def _claims(body: bodies.ConstraintBody, timezone: str, role: str, position: int) -> None:
    """Refuse a statement that its role has no say in, whatever the log made of it."""
    for statement in language.read(body.text, instant(body.said_s), zone_of(timezone)).statements:
        if (no := claim_objection(statement, role)) is not None:
            raise Refused(no.rule, position=position, **no.found)


def _grant(said: Sequence[Said], one: Said) -> Said | None:
    """Return the last grant under which somebody's delegate may have said this, or None."""
    found, founding = None, said[0].body
    assert isinstance(founding, bodies.RegisterCommunity)
    for other in said:
        if other.row.position >= one.row.position:
            break
        if other.request.on_behalf_of == one.request.on_behalf_of and other.row.outcome is Outcome.BOOKED:
            found = other if _covers(other.body, one, founding.timezone) else found
    return found


def _covers(grant: object, one: Said, timezone: str) -> bool:
    if not isinstance(grant, Grant) or one.row.stamped_s >= grant.until_s:
        return False
    to = VerifyingKey(bytes.fromhex(grant.to)).id
    return to == one.request.author and covers(grant, one.request.kind, one.body, timezone)
