"""The keys of an account: which act for it, whom it lets act, and its own key as an encrypted file to take along."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from commonwatt.apps import wishes
from commonwatt.apps.api.held import Held
from commonwatt.apps.community import Community, Done
from commonwatt.apps.proving import AGAIN_S, Busy
from commonwatt.apps.views.seeing import check
from commonwatt.apps.walleting import read_key
from commonwatt.apps.wiring import open_key
from commonwatt.flows.rulebook.identity.delegating import DELEGABLE, INSPECT
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.model import AccountId, Kind, Refused

SHORTEST = 12
"""Characters of a passphrase under which a key leaves."""
LETS = tuple(sorted(DELEGABLE - {Kind.REGISTER.value}))
"""What `let_act` gives: everything that may be delegated but to register things."""
TO_LOOK = (INSPECT,)
"""To see what meters told, what is planned and what is stated; no money, and nothing to do."""


LOOKERS = ("dso", "tso", "utility", "auditor", "inspector", "installer", "aggregator", "engineer", "agent")
"""Roles whose keys somebody may want to let look, those first who have no other way to see a home."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looker:
    """A registered key that may be let look: its role, its account, and itself as hex."""

    role: str
    account: AccountId
    public: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegate:
    """A key that somebody lets act for them: whose it is, what for, and until when."""

    public: str
    account: AccountId
    kinds: tuple[str, ...]
    until_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The keys of an account, hex.

    Args:
        as_of_s: As of when.
        own: Registered as the account's own.
        kept_here: Whether the community keeps one of them and signs with it when asked to.
        delegates: Whom the account lets act, by the day on which that ends.
    """

    as_of_s: int
    own: list[str]
    kept_here: bool
    delegates: list[Delegate]


def keyring(community: Community, seat: Seat, account: AccountId) -> Keyring:
    """Return the keys of an account.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    check(community, seat, Action.MANAGE_SELF, account)
    state, now_s = community.state, community.now_s()
    granted = state.trusted.delegations.get(account, {})
    delegates = [
        Delegate(
            public=state.keys[key].verifying.public.hex(),
            account=state.keys[key].account,
            kinds=one.kinds,
            until_s=one.until_s,
        )
        for key, one in granted.items()
        if one.until_s > now_s
    ]
    return Keyring(
        as_of_s=community.told_s,
        own=[record.verifying.public.hex() for record in state.keys if record.account == account],
        kept_here=community.holds_key(account),
        delegates=sorted(delegates, key=lambda one: (one.until_s, one.public)),
    )


def lookers(community: Community, account: AccountId) -> list[Looker]:
    """Return whom an account may let look, by role and name; other members by their key alone."""
    found = [
        Looker(role=record.role, account=record.account, public=record.verifying.public.hex())
        for record in community.state.keys
        if record.role in LOOKERS and record.account != account
    ]
    return sorted(found, key=lambda one: (LOOKERS.index(one.role), one.account, one.public))


async def take_along(community: Community, seat: Seat, held: Held, account: AccountId, passphrase: str) -> bytes:
    """Return an account's key that is kept here as PKCS#8 PEM, encrypted under the owner's passphrase.

    The community keeps its own copy: nobody can prove that they have forgotten a key.

    Args:
        community: Which keeps it.
        seat: Whose it is.
        held: By what they sit there.
        account: Theirs.
        passphrase: Under which it leaves.

    Raises:
        Unseen, Refused: The seat may not, comes by a program's token, is only setting up how it comes in or came in too
            long ago, or the key is not kept here; or the passphrase is short.
    """
    check(community, seat, Action.SEND_TOKENS, account)
    _hold_to_themselves(seat, held)
    if len(passphrase) < SHORTEST:
        raise Refused("a key leaves under a passphrase of twelve characters or more", characters=len(passphrase))
    if not community.holds_key(account):
        raise Refused("this community does not keep the account's key", account=account)
    # Deriving a key from a passphrase takes its time by intent.
    return await asyncio.to_thread(lambda: open_key(community.folder, account).to_pem(passphrase.encode()))


async def bring(
    community: Community, seat: Seat, held: Held, account: AccountId, content: str, passphrase: str = ""
) -> str:
    """Have a key that was made elsewhere kept here, to sign with it for its account, and return it as hex.

    It is one that the log knows as the account's own: to register it is for who runs the community, so that nobody
    who once sat on this page takes an account over with a key of theirs. What was kept before stays beside it.

    Args:
        community: Which is to keep it.
        seat: Whose it is.
        held: By what they sit there.
        account: Theirs.
        content: A keystore (version 3), PKCS#8 PEM, 64 hex digits, or 12 to 24 words, below wallets' first path.
        passphrase: Under which a keystore or PEM is sealed.

    Raises:
        Unseen, Refused: As in `take_along`; or the content is no key, does not open, or is not registered for the
            account, with its public half for who registers it.
        Busy: Another key is being opened.
        Corrupt: The content is damaged.
    """
    check(community, seat, Action.SEND_TOKENS, account)
    _hold_to_themselves(seat, held)
    if community.reading_key:
        raise Busy("one key is opened at a time", AGAIN_S)
    community.reading_key = True
    try:
        # A sealed file says itself how much work it is to open, within bounds.
        key, _ = await asyncio.to_thread(read_key, content.encode(), passphrase.encode)
    finally:
        community.reading_key = False
    record = community.state.keys.get(key.id)
    if record is None or record.account != account:
        raise Refused("who brings a key has it registered for their account first", public=key.public.hex())
    community.note(seat, Happened.KEY_BROUGHT, {"account": account, "key": key.id})
    community.keep_key(account, key)
    return key.public.hex()


async def let_act(
    community: Community,
    seat: Seat,
    held: Held,
    account: AccountId,
    public: str,
    until_s: int,
    kinds: Sequence[str] = LETS,
) -> Done:
    """Let a registered key of somebody else's do things for an account, until a time.

    Args:
        community: Through whose door it goes.
        seat: Whose account it is.
        held: By what they sit there.
        account: Theirs.
        public: The other's key, hex.
        until_s: Seconds since 1970.
        kinds: Of requests, or `TO_LOOK`.

    Raises:
        Refused: The seat comes by a program's token, is only setting up how it comes in, or came in too long ago.
        Unseen, InvalidValue, Problem, OSError: As `wishes.granted`.
    """
    _hold_to_themselves(seat, held)
    told = {"what": "grant", "to": public.strip().lower().removeprefix("0x"), "kinds": list(kinds), "until_s": until_s}
    return await wishes.granted(community, seat, Action.MANAGE_SELF, account, Kind.DELEGATE, told)


async def end_acting(community: Community, seat: Seat, account: AccountId, public: str) -> Done:
    """Take back all that an account lets a key do; raises as `let_act`."""
    told = {"what": "revoke", "to": public}
    return await wishes.granted(community, seat, Action.MANAGE_SELF, account, Kind.DELEGATE, told)


def _hold_to_themselves(seat: Seat, held: Held) -> None:
    """Refuse programs, and whoever found a screen left open: a key that is out stays out."""
    if seat.scopes is not None:
        raise Refused("a key is for who signed in themselves", scopes=" ".join(seat.scopes))
    held.need_fresh()
