"""What is kept of notices: where somebody wants them, what they were told, and what is still on its way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from commonwatt.flows.entrance.shelved import Named, Personal
from commonwatt.model import AccountId, InvalidValue

DAY_MINUTES = 1_440
Facts = Mapping[str, str | int]
"""What a notice is about, by name; units end the names."""


class Topic(StrEnum):
    """About what somebody is told; the words are what programs see, so none may ever change."""

    DECIDE = "decide"
    """A plan waits for a yes or no."""
    DEMAND = "demand"
    SILENT = "silent"
    DOUBTED = "doubted"
    """A device's readings are not believed, or it may not be scheduled."""
    BILL = "bill"
    MONEY_LOW = "money_low"
    MONEY_IN = "money_in"
    UNDELIVERED = "undelivered"
    SIGNED_IN = "signed_in"
    ACCESS = "access"
    """A way in, a role, a token or a guardian was changed."""
    RECOVERY = "recovery"
    TRIAL = "trial"
    """Asked for, to see whether it arrives."""


CHOSEN = tuple(topic for topic in Topic if topic is not Topic.TRIAL)
"""What somebody can choose to hear of or not."""
OF_ACCESS = frozenset({Topic.SIGNED_IN, Topic.ACCESS, Topic.RECOVERY})
"""About a person's own access, not about an account."""
URGENT = frozenset({Topic.DEMAND, Topic.SIGNED_IN, Topic.RECOVERY})
"""What comes also in quiet hours, until somebody wishes otherwise."""


class Way(StrEnum):
    """By which way a notice goes."""

    WEB_PUSH = "web_push"
    MAIL = "mail"
    WEBHOOK = "webhook"
    HOME_ASSISTANT = "home_assistant"


class Fate(StrEnum):
    """What became of a notice on one channel."""

    WAITING = "waiting"
    SENT = "sent"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel(Named):
    """Where somebody is told.

    Args:
        id: 128 random bits, hex.
        person: Who.
        way: How.
        label: As they call it.
        address: A push service's or program's URL, a mail address, or the account whose Home Assistant it is.
        made_s: Since when.
        secrets: A browser's two keys, or those with which what is sent to a program is signed, the newest first.
        rotated_s: When the older of two such secrets was replaced.
        token: The hash of the token that made it: it hears of that token's account and ends with it. Empty for none.
        last_s: When it was tried last, or None.
        wrong: Why the last try failed; empty where it did not.
    """

    id: str
    person: str
    way: Way
    label: str
    address: str
    made_s: int
    secrets: tuple[str, ...] = field(default=(), repr=False)
    rotated_s: int = 0
    token: str = field(default="", repr=False)
    last_s: int | None = None
    wrong: str = ""

    @property
    def lookup(self) -> str:
        """By where it leads: a person has each place once."""
        return f"{self.person} {self.token} {self.way.value} {self.address}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes(Personal):
    """How somebody wants to be told.

    Args:
        person: Who.
        language: In which language.
        zone: The IANA name of their time zone; empty for the community's.
        quiet: From which minute of their day until which nothing comes; None for no such hours.
        off: Of what they do not want to hear.
        through: Of what they want to hear in quiet hours, too.

    Raises:
        InvalidValue: The quiet hours are none.
    """

    person: str
    language: str = "en"
    zone: str = ""
    quiet: tuple[int, int] | None = None
    off: frozenset[Topic] = frozenset()
    through: frozenset[Topic] = URGENT

    def __post_init__(self) -> None:
        if self.quiet is not None:
            begin, end = self.quiet
            if not (0 <= begin < DAY_MINUTES and 0 <= end < DAY_MINUTES) or begin == end:
                raise InvalidValue(f"quiet hours are two different minutes of a day, were {begin} and {end}")

    @property
    def key(self) -> str:
        """Whose they are."""
        return self.person


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch(Personal):
    """What is remembered of somebody so that nothing is told twice that goes on.

    Args:
        person: Who.
        begun_s: The log's time when they first had a channel: of what was before they are not told.
        holding: What holds now and was told, or held already when they began; told again once it ended and came back.
            None until it was looked for the first time.
    """

    person: str
    begun_s: int
    holding: frozenset[str] | None = None

    @property
    def key(self) -> str:
        """Of whom."""
        return self.person


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Named):
    """One notice to one person, by whichever ways it goes.

    Args:
        id: Follows from the person and what happened, so that nothing is told twice.
        person: Who is told.
        topic: About what.
        account: Whose thing it is; None for the person's own access and what is everybody's.
        at_s: When it happened; by the log's time where it is the log that tells.
        noted_s: When it was noted here, by the system's.
        facts: What happened.
        until_s: From when on, by the log's time, it is of no use to anybody; None for never.
    """

    id: str
    person: str
    topic: Topic
    account: AccountId | None
    at_s: int
    noted_s: int
    facts: dict[str, str | int]
    until_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel(Named):
    """A notice on its way to one channel.

    Args:
        id: Of notice and channel; whoever gets it twice knows it by this.
        person: Whom it tells.
        told: Which notice.
        channel: Where it goes.
        due_s: From when on it is tried next.
        tries: How often it was tried without success.
        fate: What became of it.
        wrong: Why the last try failed; empty where it did not.
    """

    id: str
    person: str
    told: str
    channel: str
    due_s: int
    tries: int = 0
    fate: Fate = Fate.WAITING
    wrong: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far log and trail were looked through; one a community.

    Args:
        leaves: Leaves of the log.
        entries: Entries of its books.
        events: Events of the trail.
    """

    leaves: int
    entries: int
    events: int

    @property
    def key(self) -> str:
        """There is one."""
        return "mark"

    @property
    def owner(self) -> str:
        """The community's."""
        return "*"

    @property
    def lookup(self) -> None:
        """By nothing else."""
        return None
