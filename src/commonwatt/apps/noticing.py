"""Notice what deserves telling as the log grows and people come in, keep it for whom it concerns, and send it out."""

import asyncio
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from commonwatt.apps import demanding
from commonwatt.apps.community import Community
from commonwatt.apps.letter_box import LetterBox
from commonwatt.apps.notice_ways import Terms, Ways, open_ways
from commonwatt.apps.views.devices import SILENT_AFTER_S, Telling, devices
from commonwatt.apps.views.seeing import Unseen
from commonwatt.apps.web.notice_words import PAGES, text_of, title_of
from commonwatt.apps.web.words import LANGUAGES, Place, Words
from commonwatt.flows.entrance import telling as letters
from commonwatt.flows.entrance.hall import Hall
from commonwatt.flows.entrance.records import Person
from commonwatt.flows.gateway.letters import Called
from commonwatt.flows.notices import channels, deriving, telling
from commonwatt.flows.notices.deriving import Happening
from commonwatt.flows.notices.ports import Letter
from commonwatt.flows.notices.posting import Postman
from commonwatt.flows.notices.records import URGENT, Channel, Mark, Parcel, Told, Topic, Wishes
from commonwatt.identity.seat import Seat
from commonwatt.model import AccountId, Entry, InvalidValue, Refused

LOOK_EVERY_S = 2.0
SWEEP_EVERY_S = 60
"""Between two looks at what goes on for a while: devices, balances, bills."""
TIDY_EVERY_S = 86_400
_AT_ONCE = 2_000
_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Last:
    """When was done what is not done at every look, by the system's clock."""

    sweep_s: int = 0
    tidy_s: int = 0


class Noticing:
    """Implements what the app does about notices; of the community's loop.

    Args:
        hall: The entrance, in whose store all of it is kept, per person and encrypted.
        community: Its log.
        place: Its name, clocks and money.
        origin: Where people reach the site.
        terms: By which ways they are told.
    """

    def __init__(self, hall: Hall, community: Community, place: Place, origin: str, terms: Terms) -> None:
        self._hall, self._people, self._community = hall, hall.people, community
        self._place, self._origin, self._terms = place, origin, terms
        self._last = _Last()
        self.ways: Ways | None = None
        """What is open; None before it runs."""
        self.postman: Postman | None = None

    async def run(self) -> None:
        """Notice and send until cancelled."""
        try:
            async with open_ways(self._community.folder, self._terms, self._place.name, self._origin) as ways:
                beside = [self.open(ways).run()]
                if ways.mail is not None:
                    beside.append(LetterBox(self._hall, ways.mail, self._words_of, self._origin).run())
                tasks = [asyncio.ensure_future(one) for one in beside]
                try:
                    await self._keep_looking()
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
                    self.ways = self.postman = None
        except Exception as error:
            print(f"commonwatt: nobody is told of anything: {error}", file=sys.stderr)  # noqa: T201  for who runs it
            _LOG.exception("nobody is told of anything")
            raise

    async def _keep_looking(self) -> None:
        while True:
            try:
                await self.look()
            except OSError as error:  # a disk that is full now may not be so for ever
                _LOG.warning("what came cannot be told yet: %s", error)
            await asyncio.sleep(LOOK_EVERY_S)

    def open(self, ways: Ways) -> Postman:
        """Begin with ways that are open, and return who carries."""
        self.ways = ways
        self.postman = Postman(
            self._people, ways.carriers, self.write, self._place.zone, self._hall.now_s, self._community.now_s
        )
        return self.postman

    async def look(self) -> None:
        """Notice all that came since the last look, and now and then what goes on for a while."""
        mark = self._people.marks.get("mark")
        if mark is None:
            # Of what was before anybody could be told, nobody is told.
            self._people.marks.put(self._now())
            return
        await self._look_at_log(mark)
        now_s = self._hall.now_s()
        if now_s >= self._last.sweep_s + SWEEP_EVERY_S:
            self._last.sweep_s = now_s
            await self.sweep()
        if now_s >= self._last.tidy_s + TIDY_EVERY_S:
            self._last.tidy_s = now_s
            telling.tidy(self._people, now_s)
            letters.tidy(self._hall)

    def try_now(self, channel: Channel) -> None:
        """Send a notice that only shows that it arrives. Raises as `channels.trial`."""
        self._post(channels.trial(self._people, channel, self._hall.now_s()))

    def write(self, told: Told, parcel: Parcel, wishes: Wishes) -> Letter:
        """Return a notice in somebody's language."""
        words = self._words(wishes)
        return Letter(
            id=parcel.id,
            topic=told.topic,
            community=self._place.name,
            account=told.account,
            at_s=told.at_s,
            title=title_of(words, told.topic),
            text=text_of(words, told),
            href=self._origin + PAGES[told.topic],
            facts=told.facts,
            urgent=told.topic in URGENT,
        )

    def _words_of(self, person: str) -> Words:
        return self._words(telling.wishes_of(self._people, person))

    def _words(self, wishes: Wishes) -> Words:
        # Times are the community's, as on its pages, whatever the zone of somebody's quiet hours.
        return Words(wishes.language if wishes.language in LANGUAGES else "en", self._place)

    def _now(self) -> Mark:
        last = self._community.chronicle.entries(limit=1)
        head = self._people.head()
        return Mark(
            leaves=self._community.size, entries=last[0][0] + 1 if last else 0, events=head.number if head else 0
        )

    async def _look_at_log(self, mark: Mark) -> None:
        community, now = self._community, self._now()
        if now == mark:
            return
        whom = self._whom()
        if whom:
            found = list(deriving.of_plans(community.state, mark, community.now_s()))
            found += deriving.of_entries(await self._entries(mark.entries, now.entries))
            with self._people.together():
                self._tell_accounts(whom, found)
                self._tell_of_access(whom, mark.events)
                self._people.marks.put(now)
        else:
            self._people.marks.put(now)

    async def _entries(self, from_number: int, before: int) -> list[tuple[int, Entry]]:
        """Return the entries of [from_number, before) in order, read so that others are served meanwhile."""
        found: list[tuple[int, Entry]] = []
        while before > from_number:
            some = self._community.chronicle.entries(before=before, limit=_AT_ONCE)
            found += [one for one in some if one[0] >= from_number]
            if len(some) < _AT_ONCE:
                break
            before = some[-1][0]
            await asyncio.sleep(0)
        return found[::-1]

    def _whom(self) -> dict[str, Person]:
        """Return everybody who has a channel, by id; a program's channel ends with its token."""
        found: dict[str, Person] = {}
        for one in self._people.channels.all():
            person = self._people.persons.get(one.person)
            token = self._people.tokens.get(one.token) if one.token else None
            if person is None or (one.token and (token is None or self._hall.now_s() >= token.until_s)):
                channels.remove(self._people, one)
            else:
                found[person.id] = person
        return found

    def _tell_accounts(self, whom: Mapping[str, Person], found: list[Happening]) -> None:
        by_account: dict[AccountId | None, list[Happening]] = {}
        for one in found:
            by_account.setdefault(one.account, []).append(one)
        for person in whom.values():
            self._tell(person, [one for seat in _seats(person) for one in by_account.get(seat.account, ())])

    def _tell_of_access(self, whom: Mapping[str, Person], after: int) -> None:
        for event, told in self._people.trail(after):
            person = whom.get(self._people.whose(event.number))
            happening = deriving.of_event(event, told)
            if person is not None and happening is not None:
                self._tell(person, [happening])

    async def sweep(self) -> None:
        """Look at what goes on for everybody who has a channel."""
        community = self._community
        demands = list(deriving.of_demands(self._demands()))
        for person in self._whom().values():
            watch = telling.begun(self._people, person.id)
            if watch is None:
                continue
            holds, bills = dict[str, Happening](), list[Happening]()
            for seat in _seats(person):
                assert seat.account is not None
                holds |= _conditions(community, seat, seat.account)
                if community.state.has_wallet(seat.account):
                    settled_s = community.state.settled_to_s
                    bills += deriving.of_months(seat.account, settled_s, watch.begun_s, self._place.zone)
            with self._people.together():
                self._tell(person, [*telling.turn(self._people, watch, holds), *bills, *demands])
            await asyncio.sleep(0)

    def _demands(self) -> list[Called]:
        try:
            return demanding.standing(self._community.folder, self._community.now_s())
        except (InvalidValue, Refused, OSError):
            return []  # whoever calls DEMAND is told that its file is damaged

    def _tell(self, person: Person, found: list[Happening]) -> None:
        self._post(telling.tell(self._people, person, found, self._hall.now_s()))

    def _post(self, parcels: list[Parcel]) -> None:
        if self.postman is not None and parcels:
            self.postman.take(parcels)


def _seats(person: Person) -> Iterator[Seat]:
    """Yield a person's seats that are about an account."""
    for place in person.standing():
        seat = person.seat(place)
        if seat is not None and seat.account is not None:
            yield seat


def _conditions(community: Community, seat: Seat, account: AccountId) -> dict[str, Happening]:
    """Return what goes on with somebody's devices and balance, by a name that stands as long as it does."""
    now_s, state, found = community.told_s, community.state, dict[str, Happening]()
    with suppress(Refused, Unseen):
        for one in devices(community, seat):
            if one.owner != account:
                continue
            suspended = state.trusted.suspended(one.asset)
            if suspended or one.telling is Telling.DOUBTED:
                facts: dict[str, str | int] = {"asset": one.asset, "why": "suspended" if suspended else "set aside"}
                name = f"doubted {one.asset}"
                found[name] = Happening(
                    topic=Topic.DOUBTED, key=f"{name} {now_s}", at_s=now_s, facts=facts, account=account
                )
            elif one.telling is Telling.SILENT and one.last_slot_s is not None:
                name, since_s = f"silent {one.asset}", one.last_slot_s
                found[name] = Happening(
                    topic=Topic.SILENT,
                    key=f"{name} {since_s}",
                    at_s=since_s + SILENT_AFTER_S,
                    facts={"asset": one.asset, "last_slot_s": since_s},
                    account=account,
                )
    if state.wallets.low and account in state.wallets.low[2].items():
        found[f"low {account}"] = Happening(
            topic=Topic.MONEY_LOW,
            key=f"{account} {now_s}",
            at_s=now_s,
            facts={"balance_micro": state.ergon(account)},
            account=account,
        )
    return found
