"""The official message schemas as fast checks: each returns what it found, so that callers can be strict or lenient."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

VERSIONS = ("2.1", "2.0.1", "1.6")
"""What we speak, best first."""


class Finding(NamedTuple):
    """What of a payload a schema does not allow: where, by which keyword of the schema, and in words."""

    where: str
    keyword: str
    words: str


Check = Callable[[Any, str, list[Finding]], None]
FORGIVEN = frozenset({"enum", "maxLength", "additionalProperties", "maxItems", "minItems", "multipleOf", "minimum",
                      "maximum"})  # fmt: skip
"""What real stations get wrong without harm: an unknown value, too long a text, a field of their own."""


def check(version: str, action: str, payload: object, *, answer: bool = False) -> list[Finding] | None:
    """Return what a payload gets wrong; empty where nothing, None where the version has no such action.

    Source: the JSON schemas of the Open Charge Alliance, as the `ocpp` package ships them.
    """
    checker = _checker(version, action, answer)
    if checker is None:
        return None
    found: list[Finding] = []
    checker(payload, "", found)
    return found


def known(version: str, action: str) -> bool:
    """Tell whether a version has such an action."""
    return _checker(version, action, False) is not None


@cache
def schema(version: str, name: str) -> Mapping[str, Any] | None:
    """Return one schema by its file's name, or None."""
    if not name.isalnum():
        return None
    folder = files("ocpp") / f"v{version.replace('.', '')}" / "schemas"
    try:
        text = (folder / f"{name}.json").read_text(encoding="utf-8-sig")
    except OSError:
        return None
    loaded: Mapping[str, Any] = json.loads(text, parse_float=Decimal)
    return loaded


MOST_NAMES = 64
"""Longer ones are no action's; what stations send shall not fill the cache."""


def _checker(version: str, action: str, answer: bool) -> Check | None:
    if len(action) > MOST_NAMES:
        return None
    name = action + ("Response" if answer else "" if version == "1.6" else "Request")
    if (version, name) not in _names() and not answer:
        name = action  # what has no answer is no request either: NotifyPeriodicEventStream
    return _compiled(version, name) if (version, name) in _names() else None


@cache
def _names() -> frozenset[tuple[str, str]]:
    """Return which schemas there are, so that unknown names of strangers cost no look at the disk."""
    return frozenset(
        (version, entry.name.removesuffix(".json"))
        for version in VERSIONS
        for entry in (files("ocpp") / f"v{version.replace('.', '')}" / "schemas").iterdir()
    )


@cache
def _compiled(version: str, name: str) -> Check | None:
    found = schema(version, name)
    return None if found is None else _compile(found, found.get("definitions", {}), {})


def _compile(part: Mapping[str, Any], definitions: Mapping[str, Any], made: dict[str, Check]) -> Check:
    """Turn a part of a schema into nested functions; a definition is turned once, even where it holds itself."""
    reference = part.get("$ref")
    if reference is not None:
        name = reference.rpartition("/")[2]
        if name not in made:
            made[name] = lambda *told: made[name](*told)  # noqa: PLW0108  looked up late: it is made just now
            made[name] = _compile(definitions[name], definitions, made)
        return made[name]
    kind = part.get("type")
    if kind == "object":
        return _object(part, definitions, made)
    if kind == "array":
        return _array(part, definitions, made)
    if kind == "string":
        return _string(part)
    if kind in ("integer", "number"):
        return _number(part, whole=kind == "integer")
    if kind == "boolean":
        return _boolean
    return _anything


def _object(part: Mapping[str, Any], definitions: Mapping[str, Any], made: dict[str, Check]) -> Check:
    fields = {name: _compile(inner, definitions, made) for name, inner in part.get("properties", {}).items()}
    required = tuple(part.get("required", ()))
    closed = part.get("additionalProperties") is False

    def object_(value: Any, where: str, found: list[Finding]) -> None:
        if not isinstance(value, dict):
            found.append(Finding(where, "type", f"an object is expected, was {str(value)[:40]!r}"))
            return
        for name in required:
            if name not in value:
                found.append(Finding(f"{where}/{name}", "required", "is missing"))
        for name, inner in value.items():
            checker = fields.get(name)
            if checker is not None:
                checker(inner, f"{where}/{name}", found)
            elif closed:
                found.append(Finding(f"{where}/{name[:40]}", "additionalProperties", "is no field of this message"))

    return object_


def _array(part: Mapping[str, Any], definitions: Mapping[str, Any], made: dict[str, Check]) -> Check:
    inner = _compile(part.get("items", {}), definitions, made)
    least, most = part.get("minItems", 0), part.get("maxItems", 1 << 30)

    def array(value: Any, where: str, found: list[Finding]) -> None:
        if not isinstance(value, list):
            found.append(Finding(where, "type", f"a list is expected, was {str(value)[:40]!r}"))
            return
        if len(value) < least:
            found.append(Finding(where, "minItems", f"{least} or more are expected, were {len(value)}"))
        if len(value) > most:
            found.append(Finding(where, "maxItems", f"at most {most} are expected, were {len(value)}"))
        for one in value:
            inner(one, where, found)

    return array


def _string(part: Mapping[str, Any]) -> Check:
    allowed = frozenset(part["enum"]) if "enum" in part else None
    most = part.get("maxLength", 1 << 30)

    def string(value: Any, where: str, found: list[Finding]) -> None:
        if not isinstance(value, str):
            found.append(Finding(where, "type", f"a text is expected, was {str(value)[:40]!r}"))
        elif allowed is not None and value not in allowed:
            found.append(Finding(where, "enum", f"is not one of the known values, was {value[:40]!r}"))
        elif len(value) > most:
            found.append(Finding(where, "maxLength", f"at most {most} signs are expected, were {len(value)}"))

    return string


def _number(part: Mapping[str, Any], *, whole: bool) -> Check:
    step = part.get("multipleOf")
    least, most = part.get("minimum"), part.get("maximum")

    def number(value: Any, where: str, found: list[Finding]) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            found.append(Finding(where, "type", f"a number is expected, was {str(value)[:40]!r}"))
            return
        if whole and not isinstance(value, int):
            found.append(Finding(where, "type", f"a whole number is expected, was {value}"))
            return
        if step is not None and not _multiple(value, step):
            found.append(Finding(where, "multipleOf", f"a multiple of {step} is expected, was {_words(value)}"))
        if least is not None and value < least:
            found.append(Finding(where, "minimum", f"{least} or more is expected, was {value}"))
        if most is not None and value > most:
            found.append(Finding(where, "maximum", f"{most} or less is expected, was {value}"))

    return number


def _multiple(value: float | Decimal, step: Decimal) -> bool:
    """Tell whether a number is a multiple; of one with more digits than can be divided nobody can say so."""
    try:
        return Decimal(str(value)) % step == 0
    except (InvalidOperation, ValueError):  # infinite, too long to divide, or too long to write down
        return False


def _words(value: object) -> str:
    try:
        return str(value)[:40]
    except ValueError:
        return "one of thousands of digits"


def _boolean(value: Any, where: str, found: list[Finding]) -> None:
    if not isinstance(value, bool):
        found.append(Finding(where, "type", f"true or false is expected, was {str(value)[:40]!r}"))


def _anything(value: Any, where: str, found: list[Finding]) -> None:
    """Allow whatever it is: the schema says nothing."""
