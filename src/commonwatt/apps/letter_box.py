"""Send the letters that the entrance wrote, which a recovery waits for: each until the mail server took it."""

import asyncio
import logging
from collections.abc import Callable

from commonwatt.adapters.notices.mail import Mail
from commonwatt.apps.web.notice_words import letter_of
from commonwatt.apps.web.words import Words
from commonwatt.flows.entrance import telling
from commonwatt.flows.entrance.hall import Hall
from commonwatt.flows.entrance.records import Notice
from commonwatt.flows.notices.ports import Undelivered
from commonwatt.flows.notices.posting import LEAVES_WITHIN_S
from commonwatt.flows.notices.timing import MOST_TRIES, next_try_s

LOOK_EVERY_S = 2.0
_LOG = logging.getLogger(__name__)


class LetterBox:
    """Implements the sending of letters; of one loop.

    Args:
        hall: The entrance, in whose store they wait.
        mail: Which takes them.
        words: In whose language, by person.
        origin: Where people reach the site.
    """

    def __init__(self, hall: Hall, mail: Mail, words: Callable[[str], Words], origin: str) -> None:
        self._hall, self._mail, self._words, self._origin = hall, mail, words, origin
        self._failed: dict[str, tuple[int, int]] = {}

    async def run(self) -> None:
        """Send until cancelled; a letter that is being handed over by then is not handed over again."""
        while True:
            sending = asyncio.ensure_future(self.send())
            try:
                await asyncio.shield(sending)
            except asyncio.CancelledError:
                await asyncio.wait([sending], timeout=LEAVES_WITHIN_S)
                raise
            await asyncio.sleep(LOOK_EVERY_S)

    async def send(self) -> None:
        """Send what waits; a letter that the mail server did not take is tried again later."""
        for one in telling.letters_waiting(self._hall):
            due_s, tries = self._failed.get(one.id, (0, 0))
            if one.address is not None and due_s <= self._hall.now_s():
                await self._send(one, one.address, tries)

    async def _send(self, one: Notice, address: str, tries: int) -> None:
        subject, text = letter_of(self._words(one.person), one, self._origin)
        try:
            await self._mail.send(address, one.id, one.at_s, subject, text)
        except Undelivered as error:
            # A recovery waits for its letters, so that these are never given up.
            again_s = next_try_s(min(tries + 1, MOST_TRIES - 1), self._hall.now_s())
            self._failed[one.id] = again_s or 0, tries + 1
            _LOG.warning("a letter waits: %s", error)
        else:
            self._failed.pop(one.id, None)
            telling.letter_sent(self._hall, one.id)
