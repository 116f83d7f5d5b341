"""An example of each answer, made from its shape: a value for every field by its name, so that none is ever missing."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

Schema = Mapping[str, Any]
_DEEPEST = 8
_AT_S = 1_542_196_800
_HASH = "5a" * 32
_ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"
_TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "account": "member-05", "owner": "member-05", "member": "member-05", "buyer": "member-05", "of": "member-05",
        "seller": "member-12", "other": "member-12", "utility": "grid", "author": "member-05", "to": "member-12",
        "asset": "battery-05", "device": "battery-05", "name": "battery-05", "person": "anna", "label": "phone",
        "community": "sun-street", "zone": "street", "place": "street", "gateway": "gateway-05", "witness": "north",
        "id": "0f3a91", "order": "4711.0", "auction": "4711", "contract": "4711", "offer": "4712", "ref": "4711",
        "hash": _HASH, "log_root": _HASH, "state_root": _HASH, "salt": _HASH, "record": _HASH, "secret": "c2VjcmV0",
        "tx": f"0x{_HASH}", "channel": f"0x{_HASH}", "vault": _ADDRESS, "token": _ADDRESS, "address": _ADDRESS,
        "payer": _ADDRESS, "payee": _ADDRESS, "operator": _ADDRESS, "rpc": "http://127.0.0.1:8545",
        "memo": "slot trade", "why": "it costs least then", "reason": "it costs least then", "side": "bid",
        "text": "charge car-05 to 80 % by 07:30", "words": "limit import of battery-05 to 2 kW until 18:00",
        "data": "eyJrZXkiOjF9", "body": "eyJrZXkiOjF9", "wire": "eyJrZXkiOjF9", "next": "b1f4", "unit": "Wh",
        "url": "https://example.org/", "uri": "https://example.org/", "month": "2018-11", "firmware": "1.4.2",
        "make": "Sun", "model": "Wall 10", "form": "json", "code": "0123-4567-89ab", "timezone": "Europe/London",
        "vkey": "sun-street+1a2b3c4d+AAAA", "signature": f"0x{'5a' * 65}", "message": "sign this", "path": "/home",
        "password": "correct horse battery", "rule": "an order is paid by what its owner has", "picture": "<svg/>",
        "type": "about:blank", "title": "Unprocessable Content", "instance": "/api/v1/accounts/member-05/orders",
        "detail": "an order is paid by what its owner has", "thing": "member-05", "phase": "open", "verb": "charge",
        "starts": "2018-11-14T12:00:00Z", "ends": "2018-11-14T12:15:00Z", "slot": "2018-11-14T12:00:00Z",
        "window": "2018-11-14T12:15:00Z", "stage": "final", "series": "load", "quality": "measured", "good": "watt",
        "status": "BOOKED", "direction": "up", "source": "carbonintensity.org.uk", "licence": "CC BY 4.0",
    }
)  # fmt: skip
_NUMBERS: Final[tuple[tuple[str, int], ...]] = (
    ("_micro_per_kwh", 180_000), ("price", 180_000), ("_micro", 2_500_000), ("_permille", 950), ("percent", 80),
    ("lasts_s", 3_600), ("_s", _AT_S), ("minute", 450), ("_wh", 1_250), ("_w", 2_300), ("_mg", 84_000),
    ("_mhz", 50_010), ("size", 20_480), ("position", 20_479), ("status", 422), ("chain_id", 31_337), ("days", 28),
)  # fmt: skip


def sample(schema: Schema, shapes: Mapping[str, Schema], name: str = "", deep: int = 0) -> Any:
    """Return a value of a shape, with something in every field.

    Args:
        schema: As JSON Schema has it, of the kinds that OpenAPI descriptions of dataclasses are made of.
        shapes: What ``$ref`` leads to, by name.
        name: Of the field in which the value stands; it tells what is likely there.
        deep: How deep it lies; a shape that holds itself is left empty where it lies too deep.
    """
    if "$ref" in schema:
        return sample(shapes[schema["$ref"].rpartition("/")[2]], shapes, name, deep)
    for known in ("examples", "enum"):
        if schema.get(known):
            return schema[known][0]
    if "const" in schema:
        return schema["const"]
    for either in ("anyOf", "oneOf", "allOf"):
        if either in schema:
            first, null = schema[either][0], {"type": "null"}
            return None if deep > _DEEPEST and null in schema[either] else sample(first, shapes, name, deep)
    make = _MAKE.get(schema.get("type", "object"))
    return None if make is None else make(schema, shapes, name, deep)


def _object(schema: Schema, shapes: Mapping[str, Schema], name: str, deep: int) -> Any:
    fields = schema.get("properties", {})
    if not fields and isinstance(schema.get("additionalProperties"), dict):
        return {_text({}, shapes, "id", deep): sample(schema["additionalProperties"], shapes, name, deep + 1)}
    return {field: sample(told, shapes, field, deep + 1) for field, told in fields.items()}


def _array(schema: Schema, shapes: Mapping[str, Schema], name: str, deep: int) -> Any:
    if "prefixItems" in schema:
        return [sample(told, shapes, name, deep + 1) for told in schema["prefixItems"]]
    many = schema.get("minItems", 1)
    if "items" not in schema or (deep > _DEEPEST and not schema.get("minItems")):
        return []
    return [sample(schema["items"], shapes, name.removesuffix("s"), deep + 1)] * many


def _text(schema: Schema, shapes: Mapping[str, Schema], name: str, deep: int) -> str:
    found = _TEXTS.get(name) or name.replace("_", " ") or "text"
    return found[: schema.get("maxLength", len(found))]


def _integer(schema: Schema, shapes: Mapping[str, Schema], name: str, deep: int) -> int:
    found: int = next((value for end, value in _NUMBERS if name.endswith(end)), 3)
    least, most = int(schema.get("minimum", found)), int(schema.get("maximum", found))
    return max(least, min(found, most))


_MAKE: Final[Mapping[str, Callable[[Schema, Mapping[str, Schema], str, int], Any]]] = MappingProxyType(
    {
        "object": _object,
        "array": _array,
        "string": _text,
        "integer": _integer,
        "number": lambda *_: 0.12,
        "boolean": lambda *_: True,
    }
)
