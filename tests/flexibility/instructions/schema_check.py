"""JSON Schema, as much of it as our published schemas use; a keyword that is not known here is an error."""

import re
from collections.abc import Callable
from typing import Any

SAID = {"$schema", "$id", "$defs", "title", "description", "default", "format"}
TYPES: dict[str, tuple[type, ...]] = {"object": (dict,), "array": (list,), "string": (str,), "integer": (int,)}


def conforms(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None) -> bool:
    """Tell whether a JSON value is as a schema wants it."""
    root = root or schema
    return all(_keeps(value, word, wanted, schema, root) for word, wanted in schema.items() if word not in SAID)


def _keeps(value: Any, word: str, wanted: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    if word == "type":
        return value is None if wanted == "null" else isinstance(value, TYPES[wanted]) and not isinstance(value, bool)
    for kind, keeps in ((dict, OF_OBJECTS), (list, OF_LISTS), (str, OF_TEXTS), (int, OF_NUMBERS)):
        if word in keeps:
            return not isinstance(value, kind) or keeps[word](value, wanted, schema, root)
    return OF_ALL[word](value, wanted, schema, root)


Keeps = dict[str, Callable[[Any, Any, dict[str, Any], dict[str, Any]], bool]]
OF_ALL: Keeps = {
    "$ref": lambda value, wanted, _, root: conforms(value, root["$defs"][wanted.rpartition("/")[2]], root),
    "anyOf": lambda value, wanted, _, root: any(conforms(value, one, root) for one in wanted),
    "enum": lambda value, wanted, _, root: value in wanted,
}
OF_OBJECTS: Keeps = {
    "required": lambda value, wanted, _, root: all(name in value for name in wanted),
    "properties": lambda value, wanted, _, root: all(
        conforms(value[name], one, root) for name, one in wanted.items() if name in value
    ),
}
OF_LISTS: Keeps = {
    "prefixItems": lambda value, wanted, _, root: all(
        conforms(one, like, root) for one, like in zip(value, wanted, strict=False)
    ),
    "items": lambda value, wanted, schema, root: all(
        wanted is not False and conforms(one, wanted, root) for one in value[len(schema.get("prefixItems", [])) :]
    ),
    "minItems": lambda value, wanted, *_: len(value) >= wanted,
    "maxItems": lambda value, wanted, *_: len(value) <= wanted,
}
OF_TEXTS: Keeps = {
    "minLength": lambda value, wanted, *_: len(value) >= wanted,
    "maxLength": lambda value, wanted, *_: len(value) <= wanted,
    "pattern": lambda value, wanted, *_: re.search(wanted, value) is not None,
}
OF_NUMBERS: Keeps = {
    "minimum": lambda value, wanted, *_: value >= wanted,
    "maximum": lambda value, wanted, *_: value <= wanted,
}
