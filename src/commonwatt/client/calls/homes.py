"""A home at a glance, over HTTP; written by scripts/client.py, not by hand."""

from commonwatt.apps.views.home import Home
from commonwatt.client.line import Line, part


class Homes:
    """A home at a glance, over HTTP."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def home(self, account: str) -> Home:
        """A home at a glance.

        Mean power of the last slot, the local day's money, levels, and what comes next and why.
        """
        return self._line.call("GET", f"/homes/{part(account)}", Home)
