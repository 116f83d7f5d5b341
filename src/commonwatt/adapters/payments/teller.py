"""Show vouchers to a payee's till over HTTP, and ask it whom a channel has to pay."""

import time
from http.client import OK
from types import TracebackType
from typing import Self, TypeVar

import httpx
import msgspec

from commonwatt.adapters.payments.shown import TERMS, VOUCHERS, Told, written
from commonwatt.flows.channels.ports import Answer, Payment
from commonwatt.flows.channels.terms import Terms
from commonwatt.model import Unreachable

TIMEOUT_S = 10.0
MOST_BYTES = 16_384
"""Of an answer: a till that says more, or says it by drops, is not heard to the end."""
T = TypeVar("T")


class HttpTeller:
    """Implements `commonwatt.flows.channels.ports.Teller`; a voucher shown twice is paid once.

    Args:
        url: Where the till is, without a trailing slash.
    """

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(
            base_url=url, headers={"accept-encoding": "identity"}, timeout=TIMEOUT_S, follow_redirects=False
        )

    def show(self, payment: Payment) -> Answer:
        """Return what the till makes of a payment.

        Raises:
            Unreachable: No answer that can be believed came; the till may have taken it.
        """
        told = self._read("POST", VOUCHERS, Told, written(payment))
        return Answer(verdict=told.verdict, total=told.total)

    def terms(self) -> Terms:
        """Return what a channel has to be for this till to take its vouchers.

        Raises:
            Unreachable: No answer that can be believed came.
        """
        return self._read("GET", TERMS, Terms)

    def _read(self, method: str, path: str, kind: type[T], content: bytes | None = None) -> T:
        try:
            with self._client.stream(method, path, content=content) as answer:
                if answer.status_code != OK:
                    raise Unreachable(f"a till answers, this one says {answer.status_code}")
                return msgspec.json.decode(_all_of(answer), type=kind)
        except (httpx.HTTPError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Unreachable(f"a till gives no answer that can be read: {error}") from error

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _all_of(answer: httpx.Response) -> bytes:
    content, end_s = bytearray(), time.monotonic() + TIMEOUT_S
    for chunk in answer.iter_raw():  # as it travels: what is packed could be of any size
        content += chunk
        if len(content) > MOST_BYTES or time.monotonic() > end_s:
            raise Unreachable(f"a till answers in {MOST_BYTES} bytes and {TIMEOUT_S:g} s, this one goes on")
    return bytes(content)
