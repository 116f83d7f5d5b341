"""Say what happens on one line an event, and by construction nothing that opens a door.

Only three things ever reach a line: words that stand in our own source, numbers, and the kind and place of errors. What
an error says, what a library says, and what somebody sent may hold a password or a token, and no pattern finds every
one; so none of it is written. Text that our own code hands in as such is written where it looks like no secret.
"""

import logging
import re
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

import msgspec

from commonwatt.apps.observing.asked import Answered
from commonwatt.model import Refused

OURS = "commonwatt"
HIDDEN = "[hidden]"
LIBRARY = "a library says something; see where"
_WEB_SERVER = ("uvicorn", "uvicorn.error", "uvicorn.access")
"""Loggers that write by themselves, pass nothing on or hear little, as the last server of this process was set up."""
_ASKS = logging.getLogger("commonwatt.asks")
_SECRET = re.compile(
    r"cw_[\w-]+|(?i:bearer|basic)\s+\S+|[A-Za-z0-9_+=-]{20,}"
    r"|(?i:pass|secret|token|cookie|auth|key|code|session)\w*\s*[=:]\s*\S+"
)
_MOST_TEXT = 200
_MOST_PLACES = 12
_MOST_CAUSES = 4


class Form(StrEnum):
    """How events are written: for a program, every ask among them, or for a person, who is told what needs a look."""

    JSON = "json"
    TEXT = "text"


def write_events(form: Form, stream: TextIO) -> logging.Handler:
    """Write all events of this process to a stream from now on, in place of whoever wrote them before.

    Args:
        form: How.
        stream: Where to.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Json() if form is Form.JSON else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in _WEB_SERVER:
        web = logging.getLogger(name)
        web.handlers[:], web.propagate = [], True
        web.setLevel(logging.NOTSET)
    logging.getLogger(OURS).setLevel(logging.INFO)
    logging.captureWarnings(True)
    return handler


def note_ask(answered: Answered) -> None:
    """Note an ask that was answered."""
    told = {
        "method": answered.method,
        "route": answered.route,
        "status": answered.status,
        "took_us": answered.took_ns // 1_000,
    }
    _ASKS.info("answered", extra={"told": told | ({"trace": answered.trace} if answered.trace else {})})


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return msgspec.json.encode(_fields(record)).decode()


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record)
        first = " ".join(str(fields.pop(name)) for name in ("time", "level", "event"))
        return " ".join([first, *(f"{name}={value}" for name, value in fields.items())]).replace("\n", " ")


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return all that is written of an event."""
    ours = record.name == OURS or record.name.startswith(f"{OURS}.")
    fields: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "event": shown(record.msg) if ours and isinstance(record.msg, str) else LIBRARY,
        "from": record.name,
    }
    if not ours:
        fields["where"] = f"{record.module}:{record.lineno}"
    args = record.args if isinstance(record.args, tuple) else ()
    if ours and args:
        fields["found"] = [_argument(one) for one in args]
    told = getattr(record, "told", None)
    if ours and isinstance(told, Mapping):
        fields.update(told)
    if record.exc_info and record.exc_info[1] is not None:
        fields["errors"] = [_error(one) for one in _causes(record.exc_info[1])]
    return fields


def shown(text: str) -> str:
    """Return text of our own without what looks like a secret, and not too much of it."""
    return _SECRET.sub(HIDDEN, text)[:_MOST_TEXT]


def _argument(value: object) -> object:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, BaseException):
        return _error(value)
    return shown(value) if isinstance(value, str) else type(value).__name__


def _error(error: BaseException) -> dict[str, Any]:
    """Return of which kind an error is, the rule of ours that it is about, and where it came from."""
    frames = traceback.extract_tb(error.__traceback__)[-_MOST_PLACES:]
    told: dict[str, Any] = {"kind": type(error).__name__}
    if isinstance(error, Refused):
        told["rule"] = shown(error.rule)
    return told | {"at": [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]}


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what caused it, outermost first."""
    found: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if found is None:
            return
        yield found
        found = found.__cause__ or found.__context__
