"""Follow what changes: server-sent events read off the line, which is opened again where it breaks."""

from collections.abc import Callable, Iterator

import msgspec

from commonwatt.apps.views.changes import Change
from commonwatt.client.line import AnswerIsNo, Line
from commonwatt.model import Corrupt, Unreachable

SILENT_S = 45.0
"""How long the line may be silent: three of the app's signs of life."""
_GOES_BY = 500
"""From this status on an answer is about the app and not about what was asked; it may be another one later."""


def follow(line: Line, on_again: Callable[[], None] = lambda: None) -> Iterator[Change]:
    """Yield changes as they happen, until whoever asks stops.

    Args:
        line: To the API.
        on_again: Told when a broken line is open again: what changed meanwhile was not heard.

    Raises:
        AnswerIsNo: Who asks may not follow.
        Corrupt: What comes is none of the API's.
    """
    tried = 0
    while True:
        try:
            for told in events(_opened(line, on_again if tried else None)):
                tried = 0
                yield told
        except Unreachable:
            pass
        except AnswerIsNo as error:
            if error.status < _GOES_BY and error.status != 429:
                raise
        line.wait(tried)
        tried += 1


def events(lines: Iterator[str]) -> Iterator[Change]:
    """Yield the changes that lines of server-sent events tell; signs of life tell none.

    Raises:
        Corrupt: An event holds no change.
    """
    data: list[str] = []
    for line in lines:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            try:
                yield msgspec.json.decode("\n".join(data), type=Change)
            except (msgspec.MsgspecError, ValueError) as error:
                raise Corrupt(f"an event is no change: {error}") from error
            data = []


def _opened(line: Line, on_open: Callable[[], None] | None) -> Iterator[str]:
    for number, told in enumerate(line.lines("/live", SILENT_S)):
        if number == 0 and on_open is not None:
            on_open()
        yield told
