"""A home at a glance over HTTP, and where it stands; written by scripts/client.py, not by hand."""

from collections.abc import Mapping
from typing import cast

from commonwatt.apps.views.home import Home
from commonwatt.client.line import Line, part
from commonwatt.model.position import Position


class Homes:
    """A home at a glance over HTTP, and where it stands."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def home(self, account: str) -> Home:
        """A home at a glance.

        Mean power of the last slot, the local day's money, levels, and what comes next and why.
        """
        return self._line.call("GET", f"/homes/{part(account)}", Home)

    def position(self, account: str) -> Position | None:
        """Where a home stands.

        As its owner stated it, millionths of a degree; null where nobody did.
        """
        return self._line.call(
            "GET", f"/homes/{part(account)}/position", cast("type[Position | None]", Position | None)
        )

    def state_position(self, account: str, body: Mapping[str, object]) -> None:
        """State where a home stands.

        Who runs the community sees it exactly, others who may see the home to a kilometre or so; it is in no log.
        """
        return self._line.call("PUT", f"/homes/{part(account)}/position", type(None), told=body)

    def forget_position(self, account: str) -> None:
        """Forget where a home stands.

        It goes at once, with the key under which it lay.
        """
        return self._line.call("DELETE", f"/homes/{part(account)}/position", type(None))
