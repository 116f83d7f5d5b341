"""What is kept of people and their ways in; each record knows its key, whose it is, and by what else it is found."""

from dataclasses import dataclass, field
from enum import StrEnum

from commonwatt.flows.entrance.shelved import Named, Personal
from commonwatt.identity.access import Scope
from commonwatt.identity.seat import Role, Seat
from commonwatt.identity.signing_in.recovery import Recovery
from commonwatt.model import AccountId

NOBODY = "*"
"""Whose record it is where it is the community's."""


class Way(StrEnum):
    """How somebody comes in."""

    PASSWORD = "password"  # noqa: S105  a word, no secret
    PASSKEY = "passkey"
    WALLET = "wallet"
    ORGANISATION = "organisation"
    PRINTED_CODE = "printed_code"
    INVITATION = "invitation"
    RECOVERY = "recovery"
    DEMO = "demo"


ENROLLING = frozenset({Way.PRINTED_CODE, Way.INVITATION, Way.RECOVERY})
"""Ways that are good to set up a lasting one, and for nothing else."""
LASTING = frozenset({Way.PASSWORD, Way.PASSKEY, Way.WALLET, Way.ORGANISATION})
"""Ways by which somebody comes in every day; one of them stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A role that a person has, and until when; see `commonwatt.identity.seat.Seat`."""

    role: Role
    account: AccountId | None = None
    zones: tuple[str, ...] = ()
    since_s: int
    ended_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person.

    Args:
        id: 128 random bits, hex: what passkeys and the trail call them.
        name: Under which they sign in; folded, see `folded`.
        places: Their roles; one that ended stays, so that an account never looks as if it were nobody's.
        made_s: Since when, seconds since 1970.
        addresses: Where letters go, e-mail.
        guardians: Ids of those who may agree to a recovery.
        browsers: Hashes of what the browsers keep in which they signed in last, see `Where.browser`.
    """

    id: str
    name: str
    places: tuple[Place, ...]
    made_s: int
    addresses: tuple[str, ...] = ()
    guardians: tuple[str, ...] = ()
    browsers: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Their id."""
        return self.id

    @property
    def owner(self) -> str:
        """Themselves."""
        return self.id

    @property
    def lookup(self) -> str:
        """Their name."""
        return self.name

    def seat(self, place: int) -> Seat | None:
        """Return a seat by its place, or None where there is none such now."""
        if not 0 <= place < len(self.places) or self.places[place].ended_s is not None:
            return None
        told = self.places[place]
        return Seat(person=self.name, role=told.role, account=told.account, zones=told.zones)

    def standing(self) -> list[int]:
        """Return the places of the roles that they have now."""
        return [number for number, place in enumerate(self.places) if place.ended_s is None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential(Named):
    """One way in of a person.

    Args:
        id: 128 random bits, hex.
        person: Whose.
        way: Which.
        label: As its owner calls it.
        made_s: Since when.
        used_s: When last, or None.
        found_by: What an answer names it by: a passkey's id, a wallet's address, an organisation's name for somebody.
        counter: Of a passkey its own count, of a password the last step of its codes; -1 where none was used.
        secrets: A password's hash and its codes' secret; a passkey's public key; hashes of printed codes.
    """

    id: str
    person: str
    way: Way
    label: str
    made_s: int
    used_s: int | None = None
    found_by: str | None = None
    counter: int = -1
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def lookup(self) -> str | None:
        """What an answer names it by, in its way."""
        return None if self.found_by is None else f"{self.way.value} {self.found_by}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session(Personal):
    """A browser in which somebody is signed in.

    Args:
        hash: Of its secret.
        person: Who.
        place: In which of their roles.
        way: How they signed in.
        device: What the browser says that it is.
        address: From where it came last.
        made_s: When they signed in.
        seen_s: When it was last used, to the minute.
    """

    hash: str
    person: str
    place: int
    way: Way
    device: str
    address: str
    made_s: int
    seen_s: int

    @property
    def id(self) -> str:
        """What it is called in lists."""
        return self.hash[:16]

    @property
    def key(self) -> str:
        """The hash of its secret."""
        return self.hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Token(Personal):
    """What a program of somebody's signs in with.

    Args:
        hash: Of its secret.
        person: Whose.
        place: In which of their roles it acts.
        scopes: What it is for.
        label: As its owner calls it.
        made_s: Since when.
        until_s: From when on no more.
        seen_s: When it was last used, to the minute, or None.
    """

    hash: str
    person: str
    place: int
    scopes: frozenset[Scope]
    label: str
    made_s: int
    until_s: int
    seen_s: int | None = None

    @property
    def id(self) -> str:
        """What it is called in lists."""
        return self.hash[:16]

    @property
    def key(self) -> str:
        """The hash of its secret."""
        return self.hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """An invitation that was written: by whom, for what, and what became of it."""

    id: str
    by: str
    role: Role
    account: AccountId | None
    zones: tuple[str, ...]
    made_s: int
    until_s: int
    used_by: str | None = None
    revoked: bool = False

    @property
    def key(self) -> str:
        """Its id."""
        return self.id

    @property
    def owner(self) -> str:
        """The community's."""
        return NOBODY

    @property
    def lookup(self) -> None:
        """By nothing else."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRecovery:
    """A recovery as it is kept, with its member."""

    recovery: Recovery

    @property
    def key(self) -> str:
        """Its id."""
        return self.recovery.id

    @property
    def owner(self) -> str:
        """For whom."""
        return self.recovery.person

    @property
    def lookup(self) -> str:
        """By its secret's hash."""
        return self.recovery.secret_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Named):
    """What a person is told: in every session until they have seen it, and by letter.

    Args:
        id: 128 random bits, hex.
        person: Who.
        at_s: When it happened.
        what: Which kind of thing: a word of `commonwatt.identity.signing_in.trail.Happened`.
        text: In words.
        address: Where the letter goes; None for the notice in sessions.
        done: Whether the letter left the house, or the notice was seen.
        about: What it is about, for example a recovery's id.
        link: What opens a page from the letter alone: a veto's secret.
    """

    id: str
    person: str
    at_s: int
    what: str
    text: str
    address: str | None = None
    done: bool = False
    about: str = ""
    link: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """From where somebody comes.

    Args:
        address: On the network.
        device: What their browser says that it is.
        browser: The secret that it was given when somebody last signed in there; empty where nobody did.
    """

    address: str
    device: str = ""
    browser: str = field(default="", repr=False)
