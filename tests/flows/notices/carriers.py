"""A carrier that does as a test tells it, and a street whose people have channels."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from commonwatt.flows.entrance.hall import Hall
from commonwatt.flows.entrance.records import Person
from commonwatt.flows.notices import channels, telling
from commonwatt.flows.notices.deriving import Happening
from commonwatt.flows.notices.ports import Letter
from commonwatt.flows.notices.posting import Postman
from commonwatt.flows.notices.records import Channel, Parcel, Told, Topic, Way, Wishes
from commonwatt.model import AccountId
from doorway import START_S, Clock, doorway, sits

LONDON = ZoneInfo("Europe/London")


@dataclass
class Scripted:
    """Fails as often as there are errors, then takes everything."""

    errors: list[Exception] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    slow: asyncio.Event | None = None

    async def carry(self, channel: Channel, letter: Letter) -> None:
        self.tried.append(letter.id)
        if self.slow is not None:
            await self.slow.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.taken.append(letter.id)


@dataclass
class Street:
    """A street's store, clock and carrier; woken again, it has only what it kept."""

    folder: Path
    clock: Clock
    hall: Hall
    carrier: Scripted

    def wakes(self) -> None:
        """Begin anew, as after a restart."""
        self.hall.people.close()
        self.hall = doorway(self.folder, self.clock)

    def channel(self, person: Person, address: str = "https://hooks.example/1", way: Way = Way.WEBHOOK) -> Channel:
        here = sits(self.hall, person)
        return channels.add(self.hall.people, here, way, address, "program", (), now_s=self.clock(), log_s=0)

    def tells(self, person: Person, *found: Happening) -> list[Parcel]:
        return telling.tell(self.hall.people, person, found, self.clock())

    def postman(self) -> Postman:
        carriers = dict.fromkeys(Way, self.carrier)
        return Postman(self.hall.people, carriers, write, LONDON, self.clock, self.clock)

    def round(self) -> None:
        """Carry what is due, as somebody would who woke just now."""

        async def carry() -> None:
            await self.postman().round()

        asyncio.run(carry())


def write(told: Told, parcel: Parcel, wishes: Wishes) -> Letter:
    return Letter(
        id=parcel.id,
        topic=told.topic,
        community="sun street",
        account=told.account,
        at_s=told.at_s,
        title="title",
        text="text",
        href="https://sun.example/",
        facts=told.facts,
    )


def happening(
    topic: Topic = Topic.MONEY_IN, key: str = "1", account: str | None = "anna", until_s: int | None = None
) -> Happening:
    of = AccountId(account) if account else None
    at_s = START_S + 3_600 * 24 * 365  # after any channel was made
    return Happening(topic=topic, key=key, at_s=at_s, facts={"amount_micro": 5}, account=of, until_s=until_s)
