"""What handlers may need beside the station itself: who may charge, authorities, pools and the list of stations."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509

from commonwatt.adapters.devices.ocpp.certificates import Authority
from commonwatt.adapters.devices.ocpp.contracts import ContractPool, Responders
from commonwatt.adapters.devices.ocpp.evse import Evse, Session
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.adapters.devices.ocpp.tokens import (
    ACCEPTED,
    CONCURRENT,
    INVALID,
    Authoriser,
    Everybody,
    Verdict,
    same_token,
)

MOST_TASKS = 64


@dataclass(slots=True)
class Services:
    """What a server offers its stations.

    Args:
        authoriser: Decides who may charge.
        authority: Signs the certificates with which stations come to us; None: none are signed.
        v2g: Signs the certificates that stations show to cars; None: none are signed.
        mobility_roots: Roots of those who issue contract certificates.
        pool: Where contract certificates for cars come from; None: from nowhere.
        responders: Who tells whether certificates were revoked; None: nobody is asked.
        journal: Takes the security log: station, seconds since 1970, kind and words.
        names: Common names in the certificates of stations, where they are not their ids.
    """

    authoriser: Authoriser = field(default_factory=Everybody)
    authority: Authority | None = None
    v2g: Authority | None = None
    mobility_roots: list[x509.Certificate] = field(default_factory=list)
    pool: ContractPool | None = None
    responders: Responders | None = None
    journal: Callable[[str, int, str, str], None] | None = None
    names: dict[str, str] = field(default_factory=dict)
    stations: dict[str, Station] = field(default_factory=dict)
    _tasks: set["asyncio.Task[Any]"] = field(default_factory=set)

    def note(self, station: str, at_s: int, kind: str, words: str = "") -> None:
        """Keep an event of the security log."""
        if self.journal is not None:
            self.journal(station, at_s, kind, words)

    def later(self, work: Coroutine[Any, Any, Any]) -> bool:
        """Do something beside, and tell whether it will be done: of too much at once the last is not."""
        if len(self._tasks) >= MOST_TASKS:
            work.close()
            return False
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def close(self) -> None:
        """Give up what is under way."""
        waiting: list[Awaitable[Any]] = [*self._tasks]
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    def judge(
        self, station: Station, token: str, now_s: int, *, evse: Evse | None = None, own: Session | None = None
    ) -> Verdict:
        """Return what is said of a token: by whoever decides, by other transactions on it, and by reservations.

        Args:
            station: Where.
            token: Whose.
            now_s: When.
            evse: At which EVSE, where that is known.
            own: The transaction that is asked for, which does not stand in its own way.
        """
        story = next((one for one in station.books.stories.values() if same_token(one.token, token)), None)
        if story is None:
            verdict = self.authoriser.judge(station.id, token, now_s)
        else:  # made up for one session: whoever lets everybody charge lets nobody charge by it afterwards
            verdict = Verdict(INVALID if story.stopped or now_s >= story.until_s else ACCEPTED)
        if verdict.status != ACCEPTED:
            return verdict
        if self.authoriser.exclusive and self._runs(token, own):
            return verdict._replace(status=CONCURRENT)
        held = None if evse is None else station.books.reserved(evse.number, now_s)
        if held is not None and not same_token(held.token, token) and not (held.group and held.group == verdict.group):
            return verdict._replace(status=INVALID)
        return verdict

    def _runs(self, token: str, own: Session | None) -> bool:
        running = (evse.session for station in self.stations.values() for evse in station.evses.values())
        return any(
            session is not None and session is not own and session.id_tag and same_token(session.id_tag, token)
            for session in running
        )


def use_reservation(station: Station, evse: Evse, token: str, number: int | None, now_s: int) -> None:
    """Note that a reservation was used: the one that the station names, or that of its token at that EVSE."""
    for id, one in station.books.reservations.items():
        mine = same_token(one.token, token) and one.evse in (evse.number, 0, None) and one.until_s > now_s
        if one.state == "standing" and (id == number or (number is None and mine)):
            one.state = "used"
            return
