"""What notices need of whatever carries them out of the house; their store is the people's."""

from dataclasses import dataclass
from typing import Protocol

from commonwatt.flows.notices.records import Channel, Facts, Topic
from commonwatt.model import AccountId, CommonwattError


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A notice in somebody's language, and as a program reads it.

    Args:
        id: Of the parcel: the same at every try.
        topic: About what.
        community: Whose it is about.
        account: Likewise; None for one's own access.
        at_s: When it happened, seconds since 1970.
        title: In a few words.
        text: In a sentence or two.
        href: A page of ours that shows more.
        facts: What happened, by name.
        urgent: Whether a device that sleeps is to be woken.
    """

    id: str
    topic: Topic
    community: str
    account: AccountId | None
    at_s: int
    title: str
    text: str
    href: str
    facts: Facts
    urgent: bool = False


class Undelivered(CommonwattError):
    """A try failed, and another may not.

    Args:
        why: In words that may be shown to whose channel it is: they say nothing of what answered.
        after_s: How long to wait at least.
    """

    def __init__(self, why: str, after_s: int = 0) -> None:
        self.after_s = after_s
        super().__init__(why)


class Gone(CommonwattError):
    """There is nobody at the other end any more: a browser that unsubscribed."""


class Carrier(Protocol):
    """Carries letters by one way."""

    async def carry(self, channel: Channel, letter: Letter) -> None:
        """Carry a letter; on return it was taken.

        Raises:
            Undelivered: It was not; it may be tried again.
            Gone: It never will be, nor will any other.
        """
