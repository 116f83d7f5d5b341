"""An example of each body that the API takes and that is a shape of its own, and how somebody shows who they are."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from commonwatt.apps.api.armour import SESSION
from commonwatt.apps.api.guard import ACTION
from commonwatt.apps.api.problems import PROBLEM
from commonwatt.apps.api.samples import sample
from commonwatt.identity.access import PUBLICLY, Action

_WALLET = "0x52908400098527886E0F7030069857D2E4169EE7"
_MESSAGE = f"localhost:8443 wants you to sign in with your Ethereum account:\n{_WALLET}\n\n..."
_SIGNED = "0x" + "5a" * 65
_PASSKEY = {
    "id": "q83vEjRWeJA",
    "rawId": "q83vEjRWeJA",
    "type": "public-key",
    "response": {"clientDataJSON": "eyJ0eXBlIjoi", "authenticatorData": "SZYN5Y", "signature": "MEUCIQ"},
}

BODIES: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "WithPassword": {"name": "anna", "password": "correct horse battery", "code": "123456"},
        "WalletAddress": {"address": _WALLET},
        "WithWallet": {"message": _MESSAGE, "signature": _SIGNED},
        "WithPrintedCode": {"name": "anna", "code": "0123-4567-89ab"},
        "WithSecret": {"secret": "what was handed over", "name": "anna"},
        "TakePlace": {"place": 1},
        "PasswordWanted": {"password": "correct horse battery", "code": "123456"},
        "PasskeyMade": {"answer": _PASSKEY, "label": "phone"},
        "WalletSigned": {"message": _MESSAGE, "signature": _SIGNED, "label": "wallet"},
        "TokenWanted": {"label": "spreadsheet", "scopes": ["read"], "lasts_s": 2_592_000},
        "Names": {"names": ["bea", "carl"]},
        "Addresses": {"addresses": ["anna@sun.example"]},
        "WishesTold": {"language": "en", "zone": "Europe/London", "quiet": None, "off": ["bill"], "through": []},
        "BrowserWanted": {
            "endpoint": "https://push.example/send/abc",
            "p256dh": "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM",
            "auth": "tBHItJI5svbpez7KI4CCXg",
            "label": "phone",
        },
        "MailWanted": {"address": "anna@sun.example"},
        "HomeWanted": {"account": "member-05"},
        "WebhookWanted": {"url": "https://hooks.example/commonwatt", "label": "my script"},
        "Wanted": {"role": "member", "account": "member-03", "zones": []},
        "DemandWanted": {"lasts_s": 3_600, "power_w": 2_000},
        "ResponseWanted": {"lasts_s": 3_600},
    }
)
"""By the shape's name. What is one of many requests to the log stands at its route, with a word about each."""
PASSKEY: Final = {"passkey": {"summary": "What the browser answered", "value": _PASSKEY}}
"""Of the one body without a shape of its own: browsers say what is in it."""
_SCHEMES: Final = MappingProxyType(
    {
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": SESSION,
            "description": "A browser's session. A write with it must come from this site.",
        },
        "token": {"type": "http", "scheme": "bearer", "description": "A program's token, made on My access: cw_..."},
    }
)


def complete(told: dict[str, Any]) -> None:
    """Put examples into an OpenAPI description, and how somebody shows who they are where an operation asks for it.

    Args:
        told: The description; changed in place.
    """
    told["components"]["securitySchemes"] = {name: dict(scheme) for name, scheme in _SCHEMES.items()}
    known: list[dict[str, list[str]]] = [{name: []} for name in _SCHEMES]
    for operations in told["paths"].values():
        for operation in operations.values():
            _exemplify(operation)
            _exemplify_answers(operation, told["components"]["schemas"])
            publicly = Action(operation[ACTION]) in PUBLICLY
            # What the public may is asked for by showing nothing, or as whoever one is.
            operation["security"] = [{}, *known] if publicly else known


def _exemplify(operation: dict[str, Any]) -> None:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = body.get("schema", {}).get("$ref", "").rpartition("/")[2]
    if name in BODIES and "examples" not in body:
        body["examples"] = {"one": {"summary": "One of them", "value": BODIES[name]}}


def _exemplify_answers(operation: dict[str, Any], shapes: Mapping[str, Any]) -> None:
    for status, answer in operation["responses"].items():
        for name, kind in answer.get("content", {}).items():
            if kind.get("schema") and "examples" not in kind and "example" not in kind:
                made = sample(kind["schema"], shapes)
                if name == PROBLEM:
                    made |= {"status": int(status), "title": HTTPStatus(int(status)).phrase}
                kind["example"] = made
