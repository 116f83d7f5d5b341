"""What the entrance needs of a store, and of an organisation's directory."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from commonwatt.flows.entrance.records import (
    Credential,
    Invited,
    KeptRecovery,
    Notice,
    Person,
    Session,
    Token,
)
from commonwatt.flows.notices.records import Channel, Mark, Parcel, Told, Watch, Wishes
from commonwatt.identity.signing_in.organisations import Organisation
from commonwatt.identity.signing_in.slowing import Tries
from commonwatt.identity.signing_in.trail import Event, Happened

T = TypeVar("T")


class Shelf(Protocol[T]):
    """Records of one kind."""

    def get(self, key: str) -> T | None:
        """Return a record by its key."""

    def find(self, lookup: str) -> T | None:
        """Return a record by what else it is found by."""

    def of(self, owner: str) -> list[T]:
        """Return somebody's records, in the order in which they came."""

    def all(self) -> list[T]:
        """Return all records, in the order in which they came."""

    def put(self, record: T) -> None:
        """Keep a record, in place of one of the same key.

        Raises:
            Refused: Another record is found by the same.
        """

    def drop(self, key: str) -> None:
        """Keep a record no more."""


class People(Protocol):
    """All that is kept of people; each call is durable on return, `together` makes several one."""

    @property
    def persons(self) -> Shelf[Person]:
        """People, found by name."""

    @property
    def credentials(self) -> Shelf[Credential]:
        """Their ways in."""

    @property
    def sessions(self) -> Shelf[Session]:
        """Where they are signed in."""

    @property
    def tokens(self) -> Shelf[Token]:
        """Their programs'."""

    @property
    def invitations(self) -> Shelf[Invited]:
        """Who was asked to join."""

    @property
    def recoveries(self) -> Shelf[KeptRecovery]:
        """Found by the hash of their secret."""

    @property
    def notices(self) -> Shelf[Notice]:
        """What people are to be told."""

    @property
    def channels(self) -> Shelf[Channel]:
        """Where else they are told, see `commonwatt.flows.notices`; found by where it leads."""

    @property
    def wishes(self) -> Shelf[Wishes]:
        """How they want to be told, by person."""

    @property
    def watches(self) -> Shelf[Watch]:
        """What goes on that they were told of, by person."""

    @property
    def told(self) -> Shelf[Told]:
        """What they were told there."""

    @property
    def parcels(self) -> Shelf[Parcel]:
        """What is on its way there."""

    @property
    def marks(self) -> Shelf[Mark]:
        """How far it was looked for what to tell."""

    def close(self) -> None:
        """Let go of the store."""

    def together(self) -> AbstractContextManager[None]:
        """Let all that is changed meanwhile be kept together or not at all."""

    def note(self, at_s: int, what: Happened, person: str, details: Mapping[str, str]) -> Event:
        """Put an event behind the trail.

        Args:
            at_s: When.
            what: Happened.
            person: To whom: an id; `records.NOBODY` where to nobody who is known.
            details: What it tells.
        """

    def trail(self, after: int = 0) -> Iterator[tuple[Event, Mapping[str, str] | None]]:
        """Yield the events behind a number with what they tell; None where that was erased."""

    def whose(self, number: int) -> str:
        """Return to whom an event happened: an id; `records.NOBODY` where to nobody who is known."""

    def head(self) -> Event | None:
        """Return the last event."""

    def tries(self, whose: str) -> Tries:
        """Return how often something was tried in a row without success."""

    def set_tries(self, whose: str, tries: Tries) -> None:
        """Keep how often; nothing is kept of none."""


class Directories(Protocol):
    """Speaks with organisations' directories."""

    async def published(self, organisation: Organisation) -> Mapping[str, Any]:
        """Return what an organisation publishes of its directory.

        Raises:
            Unreachable: It gives no answer.
            Corrupt: Its answer cannot be read.
        """

    async def keys(self, url: str) -> Mapping[str, Any]:
        """Return an organisation's keys; raises as above."""

    async def token(self, organisation: Organisation, url: str, form: Mapping[str, str]) -> Mapping[str, Any]:
        """Exchange a code; raises as above.

        Raises:
            Refused: The directory takes the code not.
        """
