"""Events of the grid over HTTP; written by scripts/client.py, not by hand."""

from commonwatt.apps.api.v1.events import DemandShown, DemandWanted
from commonwatt.client.line import Line, part


class Events:
    """Events of the grid over HTTP."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def demands(self) -> list[DemandShown]:
        """What is demanded.

        All that is broadcast and not over, by its start.
        """
        return self._line.call("GET", "/demands/standing", list[DemandShown])

    def call(self, told: DemandWanted) -> DemandShown:
        """Call a DEMAND.

        The community's door tells it to every gateway whose line is open.
        """
        return self._line.call("POST", "/demands", DemandShown, told=told)

    def retract(self, name: str) -> None:
        """Take a DEMAND back.

        By its name.
        """
        return self._line.call("DELETE", f"/demands/{part(name)}", type(None))
