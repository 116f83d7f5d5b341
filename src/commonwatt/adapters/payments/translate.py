"""Read what a payment provider tells: whether it is the provider's, and which request it comes to."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from commonwatt.flows.rulebook.tokens import wallet_bodies as bodies
from commonwatt.model import MAX_SAFE_INTEGER, MICRO, InvalidValue, Refused

MICRO_PER_MINOR = MICRO // 100
"""Providers count in hundredths of the currency."""
TOLERANCE_S = 300
"""How far a delivery's time may lie from ours, both ways."""
_Minor = Annotated[int, Meta(gt=0, le=10**12 // MICRO_PER_MINOR)]
_Name = Annotated[str, Meta(min_length=1, max_length=100)]


class _Data(Struct, kw_only=True, frozen=True):
    """What an event is about; which of it is there depends on its type. More than that is the provider's affair."""

    currency: str | None = None
    amount: _Minor | None = None
    account: _Name | None = None
    payment: _Name | None = None
    collection: _Name | None = None
    dispute: _Name | None = None
    refund: _Name | None = None
    reference: _Name | None = None
    payout: _Name | None = None


class _Event(Struct, kw_only=True, frozen=True):
    id: _Name
    type: str
    data: _Data


class _Named(Struct, frozen=True):
    id: _Name


@dataclass(frozen=True, slots=True)
class Told:
    """One event: its name, and the request that it comes to; None where it is not about the ledger."""

    id: str
    body: Struct | None


def check_signature(header: str, content: bytes, secrets: list[bytes], now_s: int) -> int:
    """Refuse a delivery that the provider did not sign, or not lately; return when it did, seconds since 1970.

    The header reads ``t=<seconds since 1970>,v1=<hex>``, with a further ``v1`` for each secret in use while one
    replaces another; each is the HMAC-SHA256 of the time in decimal, a full stop, and the content.

    Args:
        header: As it came.
        content: The body, byte for byte.
        secrets: Those that are accepted, shared with the provider.
        now_s: The time here.

    Raises:
        Refused: No signature fits, or the time is too far from ours.

    Source: the scheme that Stripe documents for webhook signatures; RFC 2104.
    """
    try:
        pairs = [(name, value) for name, _, value in (part.strip().partition("=") for part in header.split(","))]
        (told,) = [value for name, value in pairs if name == "t"]
        if not (told.isascii() and told.isdigit() and len(told) <= 16):
            raise ValueError(told)
        claims = [bytes.fromhex(value) for name, value in pairs if name == "v1"]
    except ValueError as error:
        raise Refused("a delivery bears a time and signatures") from error
    # All are compared, always: how long it takes tells nothing of which fits.
    fits = [hmac.compare_digest(sign(told, content, secret), claim) for secret in secrets for claim in claims]
    if not any(fits):
        raise Refused("a delivery is signed by the provider")
    if abs(int(told) - now_s) > TOLERANCE_S:
        raise Refused("a delivery is signed within minutes", told_s=int(told), now_s=now_s)
    return int(told)


def sign(told: str, content: bytes, secret: bytes) -> bytes:
    """Return the 32-byte signature of a delivery made at a time, in decimal seconds since 1970."""
    return hmac.digest(secret, told.encode() + b"." + content, sha256)


def signature_header(now_s: int, content: bytes, secret: bytes) -> str:
    """Return the header with which a provider signs a delivery."""
    return f"t={now_s},v1={sign(str(now_s), content, secret).hex()}"


def read_event(content: bytes, currency: str) -> Told:
    """Return what an event comes to; a type that nobody here knows comes to nothing.

    Args:
        content: JSON as the provider sends it.
        currency: The community's, as ISO 4217 writes it; money of another one is no ERGON.

    Raises:
        InvalidValue: It is no event, something of it is missing, it is about another currency, or the log could never
            read what it comes to.
    """
    try:
        event = msgspec.json.decode(content, type=_Event)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidValue(f"an event cannot be read: {error}") from error
    read = _READERS.get(event.type)
    if read is None:
        return Told(event.id, None)
    if event.data.amount is not None and event.data.currency != currency:
        raise InvalidValue(f"an event is about {currency}, was {event.data.currency} in {event.id}")
    try:
        body = read(event.data)
        # In the shape that a request's body has to have: a name, say, that no account can bear.
        return Told(event.id, None if body is None else msgspec.convert(msgspec.to_builtins(body), type(body)))
    except _MissingError as error:
        raise InvalidValue(f"an event of type {event.type} tells its {error}, was {event.id} without") from error
    except msgspec.ValidationError as error:
        raise InvalidValue(f"an event comes to a request that can be read, was {event.id}: {error}") from error


def event_name(content: bytes) -> str:
    """Return the name of an event that `read_event` could not read, as far as it tells one; else that of its hash."""
    try:
        return msgspec.json.decode(content, type=_Named).id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return f"sha256:{sha256(content).hexdigest()}"


def minor_units(amount_micro: int) -> int:
    """Return an amount as a provider counts it.

    Raises:
        InvalidValue: It is not above zero and a whole number of hundredths.
    """
    if not 0 < amount_micro <= MAX_SAFE_INTEGER or amount_micro % MICRO_PER_MINOR:
        raise InvalidValue(f"a bank moves whole hundredths above zero, was {amount_micro} micro")
    return amount_micro // MICRO_PER_MINOR


class _MissingError(Exception):
    """Names what an event does not tell."""


def _need(data: _Data, name: str) -> Any:
    value = getattr(data, name)
    if value is None:
        raise _MissingError(name)
    return value


def _micro(data: _Data) -> int:
    amount: int = _need(data, "amount")
    return amount * MICRO_PER_MINOR


def _succeeded(data: _Data) -> Struct:
    account, payment = _need(data, "account"), _need(data, "payment")
    return bodies.PurchaseBody(account=account, amount_micro=_micro(data), reference=payment, topup=data.collection)


def _failed(data: _Data) -> Struct | None:
    """A payment that failed and was never credited: the ledger knows of it only where it was asked for."""
    if data.collection is None:
        return None
    return bodies.UncollectedBody(account=_need(data, "account"), topup=data.collection)


def _charged_back(data: _Data) -> Struct:
    dispute, payment = _need(data, "dispute"), _need(data, "payment")
    return bodies.ChargeBackBody(reference=dispute, purchase=payment, amount_micro=_micro(data))


def _refunded(data: _Data) -> Struct:
    """A refund that bears our reference was booked before it was asked for; one that nobody here asked for is not."""
    purchase, micro = _need(data, "payment"), _micro(data)
    if data.reference is not None:
        return bodies.RefundBody(reference=data.reference, purchase=purchase, amount_micro=micro)
    return bodies.ChargeBackBody(reference=_need(data, "refund"), purchase=purchase, amount_micro=micro)


def _mandate(active: bool) -> Callable[[_Data], Struct]:
    return lambda data: bodies.MandateBody(account=_need(data, "account"), active=active)


_READERS: dict[str, Callable[[_Data], Struct | None]] = {
    "payment.succeeded": _succeeded,
    "payment.failed": _failed,
    "payment.charged_back": _charged_back,
    "refund.succeeded": _refunded,
    "payout.paid": lambda data: bodies.PayoutPaid(payout=_need(data, "payout")),
    "payout.failed": lambda data: bodies.PayoutFailed(payout=_need(data, "payout")),
    "mandate.active": _mandate(active=True),
    "mandate.cancelled": _mandate(active=False),
}
