"""A program knows that it was us, by an implementation of Standard Webhooks of its own."""

import asyncio
import base64
import hashlib
import hmac
import json
from dataclasses import replace
from pathlib import Path

import pytest

from commonwatt.adapters.notices.outward import Outward
from commonwatt.adapters.notices.webhook import Webhook
from commonwatt.flows.notices.channels import OLD_SECRET_FOR_S, new_secret
from commonwatt.flows.notices.ports import Letter, Undelivered
from commonwatt.flows.notices.records import Channel, Way
from servers.listener import NOW_S, Posted, listening

TOLERANCE_S = 300


def believed(posted: Posted, secret: str, now_s: int) -> bool:
    """Judge a message as the specification tells receivers to, written from it and not from our sender."""
    id, at, signatures = (posted.headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    if abs(now_s - int(at)) > TOLERANCE_S:
        return False
    key = base64.b64decode(secret.split("_", 1)[1])
    mac = hmac.new(key, b".".join((id.encode(), at.encode(), posted.body)), hashlib.sha256).digest()
    expected = base64.b64encode(mac).decode()
    return any(hmac.compare_digest(one, f"v1,{expected}") for one in signatures.split(" "))


def program(url: str, *secrets: str, rotated_s: int = 0) -> Channel:
    return Channel(
        id="c", person="p", way=Way.WEBHOOK, label="x", address=url, made_s=0, secrets=secrets, rotated_s=rotated_s
    )


def carried(
    tmp_path: Path, letter: Letter, *secrets: str, now_s: int = NOW_S, answers: tuple[bytes, ...] = ()
) -> Posted:
    async def visit() -> Posted:
        async with listening(tmp_path / "tls") as there:
            there.answers = list(answers)
            door = Outward(["localhost"], there.trusting())
            try:
                channel = program(there.url("/hook?of=me"), *secrets, rotated_s=NOW_S)
                await Webhook(door, lambda: now_s).carry(channel, letter)
            finally:
                await door.close()
            return there.posted[0]

    return asyncio.run(visit())


def test_a_program_gets_a_message_that_it_can_believe(tmp_path: Path, letter: Letter) -> None:
    secret = new_secret()
    posted = carried(tmp_path, letter, secret)
    assert posted.line == "POST /hook?of=me HTTP/1.1"
    assert posted.headers["webhook-id"] == letter.id and posted.headers["content-type"] == "application/json"
    assert believed(posted, secret, NOW_S)
    assert not believed(posted, new_secret(), NOW_S), "another's secret"
    assert not believed(replace(posted, body=posted.body + b" "), secret, NOW_S), "another body"
    assert not believed(posted, secret, NOW_S + TOLERANCE_S + 1), "too old"
    other = replace(posted, headers=posted.headers | {"webhook-id": "another"})
    assert not believed(other, secret, NOW_S), "another message"


def test_what_a_program_reads_has_a_stable_shape(tmp_path: Path, letter: Letter) -> None:
    assert json.loads(carried(tmp_path, letter, new_secret()).body) == {
        "id": letter.id,
        "type": "decide",
        "community": "sun street",
        "account": "member-05",
        "at_s": 1_790_000_000,
        "facts": {"asset": "battery-05", "deadline_s": 1_790_003_600},
        "title": letter.title,
        "text": letter.text,
        "href": letter.href,
    }


def test_while_a_secret_changes_both_are_good_and_later_the_new_one_alone(tmp_path: Path, letter: Letter) -> None:
    new, old = new_secret(), new_secret()
    meanwhile = carried(tmp_path, letter, new, old)
    assert believed(meanwhile, new, NOW_S) and believed(meanwhile, old, NOW_S)
    later_s = NOW_S + OLD_SECRET_FOR_S
    later = carried(tmp_path, letter, new, old, now_s=later_s)
    assert believed(later, new, later_s) and not believed(later, old, later_s)


@pytest.mark.parametrize(
    ("answer", "why", "after_s"),
    [
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "it answered 500", 0),
        (b"HTTP/1.1 429 Slow\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n", "it answered 429", 120),
        (
            b"HTTP/1.1 302 Away\r\nLocation: https://[::1]/\r\nContent-Length: 0\r\n\r\n",
            "it answered with a redirect",
            0,
        ),
        (b"SSH-2.0-OpenSSH\r\n", "it gave no answer over HTTPS", 0),
    ],
)
def test_what_is_no_yes_is_not_delivered_and_says_nothing_of_what_answered(
    tmp_path: Path, letter: Letter, answer: bytes, why: str, after_s: int
) -> None:
    with pytest.raises(Undelivered, match=why) as failed:
        carried(tmp_path, letter, new_secret(), answers=(answer,))
    assert failed.value.after_s == after_s and "OpenSSH" not in str(failed.value)


def test_a_secret_stands_in_no_text_about_its_channel() -> None:
    secret = new_secret()
    assert secret not in repr(program("https://hooks.example/", secret))
