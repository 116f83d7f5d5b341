"""A member's calendar over HTTP; written by scripts/client.py, not by hand."""

from commonwatt.apps.api.v1.feeds import FeedMade, FeedShown
from commonwatt.client.line import Line, part


class Feeds:
    """A member's calendar over HTTP."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def shown(self) -> FeedShown:
        """My calendar's address.

        Whether there is one; the address itself is not kept.
        """
        return self._line.call("GET", "/me/feed", FeedShown)

    def make(self) -> FeedMade:
        """Make a secret address for my calendar.

        The one before is good no more.
        """
        return self._line.call("POST", "/me/feed", FeedMade)

    def revoke(self) -> None:
        """Revoke my calendar's address.

        From the next look on there is nothing there.
        """
        return self._line.call("DELETE", "/me/feed", type(None))

    def read(self, secret: str, *, language: str | None = None) -> bytes:
        """A calendar at its secret address.

        Plans, departures, deadlines and visits of a member, in a language of the app; the address is the right.
        """
        return self._line.call("GET", f"/feeds/{part(secret)}.ics", bytes, query={"language": language})
