"""What most records of people share: whose one is, and by what it is found again; a record tells what differs."""

from typing import Protocol


class _OfPerson(Protocol):
    @property
    def person(self) -> str: ...


class _Known(Protocol):
    @property
    def id(self) -> str: ...


class Personal:
    """A record of the person that it names, found by nothing but its key."""

    __slots__ = ()

    @property
    def owner(self: _OfPerson) -> str:
        """Whose it is: it is erased with them."""
        return self.person

    @property
    def lookup(self) -> str | None:
        """By what else it is found; unique among its like."""
        return None


class Named(Personal):
    """Such a record with an id of its own."""

    __slots__ = ()

    @property
    def key(self: _Known) -> str:
        """Its id."""
        return self.id
