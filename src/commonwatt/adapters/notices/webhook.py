"""Tell a program: a signed HTTPS POST in the manner of Standard Webhooks."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from commonwatt.adapters.notices.outward import Answer, Outward
from commonwatt.flows.notices.channels import SECRET_PREFIX, good_secrets
from commonwatt.flows.notices.ports import Letter, Undelivered
from commonwatt.flows.notices.records import Channel


class Webhook:
    """Implements `commonwatt.flows.notices.ports.Carrier` for programs.

    Args:
        outward: The door to the outside.
        now_s: The system's clock, seconds since 1970.
    """

    def __init__(self, outward: Outward, now_s: Callable[[], int]) -> None:
        self._outward, self._now_s = outward, now_s

    async def carry(self, channel: Channel, letter: Letter) -> None:
        """Post a letter, signed; on return it was answered with a 2xx.

        Raises:
            Undelivered: It was not.
        """
        body, now_s = payload(letter), self._now_s()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "commonwatt",
            "webhook-id": letter.id,
            "webhook-timestamp": str(now_s),
            "webhook-signature": signatures(good_secrets(channel, now_s), letter.id, now_s, body),
        }
        need_taken(await self._outward.post(channel.address, body, headers))


def payload(letter: Letter) -> bytes:
    """Return what a program reads: a stable shape, with the same words for people as on other channels."""
    told: dict[str, Any] = {
        "id": letter.id,
        "type": letter.topic.value,
        "community": letter.community,
        "account": letter.account,
        "at_s": letter.at_s,
        "facts": dict(letter.facts),
        "title": letter.title,
        "text": letter.text,
        "href": letter.href,
    }
    return msgspec.json.encode(told)


def signatures(secrets: Sequence[str], id: str, at_s: int, body: bytes) -> str:
    """Return a message's signatures by each secret, as their header has them.

    Source: Standard Webhooks 1.0.0, signature scheme v1 (HMAC-SHA256 over id, timestamp and body).
    """
    signed = f"{id}.{at_s}.".encode() + body
    made = (hmac.digest(base64.b64decode(one.removeprefix(SECRET_PREFIX)), signed, hashlib.sha256) for one in secrets)
    return " ".join(f"v1,{base64.b64encode(one).decode()}" for one in made)


def need_taken(answer: Answer) -> None:
    """Refuse an answer that is no yes.

    Raises:
        Undelivered: Says which.
    """
    if 300 <= answer.status < 400:
        raise Undelivered("it answered with a redirect, which is not followed", answer.after_s)
    if not 200 <= answer.status < 300:
        raise Undelivered(f"it answered {answer.status}", answer.after_s)
