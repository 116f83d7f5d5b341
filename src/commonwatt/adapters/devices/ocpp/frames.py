"""OCPP-J frames: what arrives becomes a value or a refusal in the version's own words, whatever it was."""

from typing import Any, NamedTuple

import msgspec

from commonwatt.model import CommonwattError

CALL, RESULT, ERROR, RESULT_ERROR, SEND = 2, 3, 4, 5, 6
LONGEST_ID = 36
UNREAD_ID = "-1"
"""Stands for the id of a message whose id could not be read. Source: OCPP 2.0.1 part 4, 4.2.3."""


class Frame(NamedTuple):
    """One message: its kind and id; of a CALL or SEND the action and its payload, of an error its code and words."""

    kind: int
    id: str
    action: str
    payload: Any


class CallRefused(CommonwattError):
    """The other side answered a CALL by a CALLERROR, or shall be answered by one.

    Args:
        code: One of OCPP's error codes.
        words: What was wrong.
        details: What else was said.
    """

    def __init__(self, code: str, words: str, details: Any = None) -> None:
        self.code, self.words, self.details = code, words, details if isinstance(details, dict) else {}
        super().__init__(f"{code}: {words}" if words else code)


class BadFrame(CommonwattError):
    """What arrived is no message; where it has an answer at all, that is a CALLERROR with this id and code."""

    def __init__(self, id: str | None, code: str, words: str) -> None:
        self.id, self.code, self.words = id, code, words
        super().__init__(f"{code}: {words}")


def parse(raw: bytes | str, version: str) -> Frame:
    """Return the message in a frame.

    Raises:
        BadFrame: It is none. Answers to us that make no sense have no id: nobody answers an answer.
    """
    newer = version != "1.6"
    shape = "RpcFrameworkError" if newer else "FormationViolation"
    try:
        parts = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadFrame(UNREAD_ID, shape, f"not JSON: {error}") from None
    if not isinstance(parts, list) or not parts:
        raise BadFrame(UNREAD_ID, shape, "a message is a list that is not empty")
    kind = parts[0]
    id = parts[1] if len(parts) > 1 and isinstance(parts[1], str) else None
    if kind in (RESULT, ERROR, RESULT_ERROR) and not isinstance(kind, bool):
        return _answer(kind, id, parts)
    if id is None or len(id) > LONGEST_ID:
        raise BadFrame(UNREAD_ID, shape, "a message has an id of at most 36 signs")
    if kind != CALL and not (kind == SEND and version == "2.1"):
        code = "MessageTypeNotSupported" if newer else "GenericError"
        raise BadFrame(id, code, f"no such message type: {str(kind)[:20]}")
    if len(parts) != 4 or not isinstance(parts[2], str):
        raise BadFrame(None if kind == SEND else id, shape, "a call is [2, id, action, payload]")
    if not isinstance(parts[3], dict):
        code = "FormatViolation" if newer else "FormationViolation"
        raise BadFrame(None if kind == SEND else id, code, "a payload is an object")
    return Frame(kind, id, parts[2], parts[3])


def _answer(kind: int, id: str | None, parts: list[Any]) -> Frame:
    if id is None or (kind == RESULT and len(parts) < 3):
        raise BadFrame(None, "ProtocolError", "an answer has an id and a payload")
    if kind == RESULT:
        return Frame(kind, id, "", parts[2])
    code, words, details = [*parts[2:5], "", "", None][:3] if len(parts) < 5 else parts[2:5]
    return Frame(kind, id, str(code or "GenericError")[:80], (str(words)[:255], details))


def call(id: str, action: str, payload: object) -> bytes:
    """Return a CALL as bytes."""
    return msgspec.json.encode([CALL, id, action, payload])


def result(id: str, payload: object) -> bytes:
    """Return a CALLRESULT as bytes."""
    return msgspec.json.encode([RESULT, id, payload])


def error(id: str, code: str, words: str, kind: int = ERROR) -> bytes:
    """Return a CALLERROR as bytes, or of OCPP 2.1 a CALLRESULTERROR."""
    return msgspec.json.encode([kind, id, code, words[:255], {}])
