"""What auditors do over HTTP; written by scripts/client.py, not by hand."""

from collections.abc import Iterator
from typing import Literal

from commonwatt.apps.views.comparing import Comparison
from commonwatt.client.line import Line, part


class Audits:
    """What auditors do over HTTP."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def comparison(
        self,
        *,
        left: str,
        right: str,
        left_from_s: int = 0,
        left_to_s: int = 32503680000,
        right_from_s: int = 0,
        right_to_s: int = 32503680000,
    ) -> Comparison:
        """Two accounts or periods side by side.

        Memo by memo, what came less what went.
        """
        return self._line.call(
            "GET",
            "/comparisons",
            Comparison,
            query={
                "left": left,
                "right": right,
                "left_from_s": left_from_s,
                "left_to_s": left_to_s,
                "right_from_s": right_from_s,
                "right_to_s": right_to_s,
            },
        )

    def export(
        self,
        what: Literal["entries", "trades", "leaves"],
        form: Literal["csv", "jsonl"],
        *,
        account: str | None = None,
        from_s: int = 0,
        to_s: int = 32503680000,
    ) -> Iterator[bytes]:
        """Take records along.

        The newest first. The first line tells size and roots of the log under which they stand; a CSV's begins with #.
        `account`, `from_s` and `to_s` narrow entries; trades and requests come whole.
        """
        return self._line.pieces(
            f"/exports/{part(what)}.{part(form)}", query={"account": account, "from_s": from_s, "to_s": to_s}
        )
