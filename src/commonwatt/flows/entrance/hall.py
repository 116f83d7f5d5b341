"""The hall that all who come in pass: site, clock, store, who guesses, what is noted and whom it is told."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TypeVar

from commonwatt.flows.entrance.ports import People
from commonwatt.flows.entrance.records import NOBODY, Credential, Notice, Person, Way, Where
from commonwatt.identity.keys import VerifyingKey
from commonwatt.identity.signing_in.ceremony import Ceremonies
from commonwatt.identity.signing_in.passwords import Passwords
from commonwatt.identity.signing_in.secret import secret_hash
from commonwatt.identity.signing_in.site import Site
from commonwatt.identity.signing_in.slowing import FREE_TRIES, FREE_TRIES_OF_ADDRESS, Tries, one_more, wait_s
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.model import AccountId, CommunityId, Refused

T = TypeVar("T")
_AT_ONCE = 2
"""Passwords that are hashed at the same time: each takes 64 MiB and a core for a while."""


class TooSoon(Refused):
    """Somebody tries again too soon; ``wait_s`` is after how many seconds they may."""

    def __init__(self, wait_s: int) -> None:
        self.wait_s = wait_s
        super().__init__("who fails often waits before the next try", wait_s=wait_s)


class NotLetIn(Refused):
    """Somebody does not come in. It is one and the same, whatever was wrong: a name tells nobody whether it exists."""

    def __init__(self) -> None:
        super().__init__("nobody comes in this way")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hall:
    """What all stories of the entrance share.

    Args:
        people: Who is known.
        site: Where they sign in.
        community: The log's name.
        operator: The key whose signature an invitation bears.
        now_s: Tells the time, seconds since 1970; the world's own, also where a street is simulated.
        passwords: Hashes them.
        ceremonies: What is under way.
        has_account: Tells whether the community has an account; where its state is not at hand, nobody can tell.
        end_calendar: Ends the secret address of an account's calendar, where one stands.
    """

    people: People
    site: Site
    community: CommunityId
    operator: VerifyingKey
    now_s: Callable[[], int]
    passwords: Passwords = field(default_factory=Passwords)
    ceremonies: Ceremonies = field(default_factory=Ceremonies)
    has_account: Callable[[AccountId], bool] = lambda _: True
    end_calendar: Callable[[AccountId], object] = lambda _: None
    _hashing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def apart(self, work: Callable[..., T], *given: object) -> T:
        """Do work that takes long beside the loop, not too much of it at once."""
        async with self._hashing:
            return await asyncio.to_thread(work, *given)

    def knock(self, where: Where, name: str = "") -> None:
        """Count a try, of an address and of a name, before anything is looked at.

        A browser in which the person of that name signed in before is counted by itself: strangers who fail in
        somebody's name keep them out of none that is theirs (device cookies, OWASP "Slow Down Online Guessing").

        Raises:
            TooSoon: There were too many that failed.
        """
        now_s, whose = self.now_s(), self._whose(where, name)
        tries = [(key, self._tries(key, now_s), free) for key, free in whose]
        if longest := max(wait_s(known, now_s, free) for _, known, free in tries):
            raise TooSoon(longest)
        with self.people.together():
            for key, known, _ in tries:
                self.people.set_tries(key, one_more(known, now_s))

    def _whose(self, where: Where, name: str) -> list[tuple[str, int]]:
        """Return under what a try is counted, each with how many cost nothing."""
        counted = [(f"address {line_of(where.address)}", FREE_TRIES_OF_ADDRESS)]
        if not name:
            return counted
        hashed = secret_hash(where.browser) if where.browser else ""
        person = self.people.persons.find(name) if hashed else None
        known = person is not None and hashed in person.browsers
        return [*counted, (f"browser {hashed}" if known else f"name {name}", FREE_TRIES)]

    def _tries(self, key: str, now_s: int) -> Tries:
        """Return what is counted under a key, from now on where a clock that was ahead noted it."""
        known = self.people.tries(key)
        if known.last_s > now_s:
            known = Tries(known.count, now_s)
            self.people.set_tries(key, known)
        return known

    def welcome(self, where: Where, name: str = "") -> None:
        """Let a try that succeeded count no more; an address keeps its others: a right one buys no wrong ones."""
        with self.people.together():
            for key, _ in self._whose(where, name):
                known = self.people.tries(key)
                left = max(0, known.count - 1) if key.startswith("address ") else 0
                self.people.set_tries(key, Tries(left, known.last_s))

    def fail(self, way: Way, where: Where, person: Person | None = None) -> NotLetIn:
        """Note a try that failed, and return what is told to who tried; a name that nobody has is not kept."""
        self.note(Happened.FAILED, person.id if person else NOBODY, where, way=way.value)
        return NotLetIn()

    def note(self, what: Happened, person: str, where: Where | None = None, **details: str) -> None:
        """Note something in the trail."""
        told = {name: value[:200] for name, value in details.items() if value}
        if where is not None:
            told |= {"address": where.address[:64], "device": where.device[:200]}
        self.people.note(self.now_s(), what, person, told)

    def tell(self, person: Person, what: Happened, text: str, *, about: str = "", link: str = "") -> None:
        """Tell a person something: in every session, and by a letter to each of their addresses."""
        for address in (None, *person.addresses):
            self.people.notices.put(
                Notice(
                    id=secrets.token_hex(16),
                    person=person.id,
                    at_s=self.now_s(),
                    what=what.value,
                    text=text,
                    address=address,
                    about=about,
                    link=link if address else "",
                )
            )

    def ways_of(self, person: str) -> list[Credential]:
        """Return all ways in of a person."""
        return self.people.credentials.of(person)


def line_of(address: str) -> str:
    """Return whose line an address is: of IPv6 everybody has 2^64."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((found, 64), strict=False)) if found.version == 6 else address
