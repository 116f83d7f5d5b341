"""A client of a community's API: its calls in groups, its lists page by page, its changes, and one's own signature."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar

import httpx
from msgspec import Struct

from commonwatt.client.calls import Calls
from commonwatt.client.line import WITHIN_S, AnswerIsNo, Line
from commonwatt.model import AccountId, CommunityId, Kind, Outcome, Refused

if TYPE_CHECKING:  # what the API answers with takes a second to load, and is, with the first call of its group
    from commonwatt.apps.api.answers import Page
    from commonwatt.apps.api.v1.writing import WriteDone
    from commonwatt.apps.views.changes import Change
    from commonwatt.identity.keys import RequestSigner

T = TypeVar("T")
P = ParamSpec("P")
RENUMBERED = 5
"""How often a request is numbered anew, where somebody signed with the same key meanwhile."""


class Client(Calls):
    """A community's API at one address, asked as a program of somebody's; of one thread at a time.

    Args:
        url: Where the app is, such as `https://localhost:8443`.
        token: A program's, see the guide to signing in; without one only what is public is answered.
        key: Signs what `ask` asks for; None where the community keeps the account's key.
        ca: The authority to believe beside those of this machine: a site's own lies in its folder's tls/.
        within_s: How long to wait for an answer.
        transport: Carries requests in place of a socket.
        pause: Waits some seconds.

    Raises:
        Refused: The address is none, or a token would be sent in the open to another machine.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        key: "RequestSigner | None" = None,
        ca: Path | None = None,
        within_s: float = WITHIN_S,
        transport: httpx.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(Line(url, token=token, ca=ca, within_s=within_s, transport=transport, pause=pause))
        self._key = key
        self._numbered: tuple[CommunityId, int] | None = None

    def every(self, call: "Callable[P, Page[T]]", *told: P.args, **named: P.kwargs) -> Iterator[T]:
        """Yield all of a list that comes in pages, as `client.every(client.wallets.entries, "member-05")`.

        Raises:
            AnswerIsNo, Unreachable, Corrupt: As in `Line.call`.
        """
        found = call(*told, **named)
        yield from found.items
        while found.next is not None:
            named["cursor"] = found.next
            found = call(*told, **named)
            yield from found.items

    def follow(self, on_again: Callable[[], None] = lambda: None) -> "Iterator[Change]":
        """Yield what changes, as it does; see `live.follow`."""
        from commonwatt.client.live import follow  # noqa: PLC0415  as above

        return follow(self._line, on_again)

    def ask(self, kind: Kind, body: Mapping[str, object] | Struct, account: str, items: bytes = b"") -> "WriteDone":
        """Sign a request with one's own key, and hand it in; a lost answer is asked for again with the same bytes.

        Args:
            kind: Of the request.
            body: As the guides have it, or a struct of `commonwatt.flows.rulebook.bodies`.
            account: For which it is asked.
            items: The packed records of a batch.

        Raises:
            AnswerIsNo: The log refused it, or the API did.
            Refused: There is no key to sign with.
            Unreachable: There was no answer to any try; it may stand in the log, and must not be asked anew unlooked.
        """
        for tried in range(RENUMBERED):
            (wire,) = self.signed([(kind, body, items)], account)
            try:
                return self.requests.signed(wire)
            except Exception as error:
                self._numbered = None  # who knows what stands in the log by now
                taken = isinstance(error, AnswerIsNo) and error.found.get("outcome") == Outcome.WRONG_SEQUENCE
                if not taken or tried == RENUMBERED - 1:
                    raise
        raise AssertionError("the last try returns or raises")

    def signed(self, asked: Sequence[tuple[Kind, Mapping[str, object] | Struct, bytes]], account: str) -> list[bytes]:
        """Return requests signed with one's own key, numbered on from the last, for `requests.batch`.

        Args:
            asked: Kind, body and packed records of each.
            account: For which they are asked.

        Raises:
            Refused: There is no key to sign with.
            InvalidValue: A body has no canonical form.
        """
        from commonwatt.flows.desk import written  # noqa: PLC0415  as above
        from commonwatt.flows.rulebook.bodies import write_body  # noqa: PLC0415

        if self._key is None:
            raise Refused("who signs holds a key: give the client one")
        if self._numbered is None:
            told = self.requests.next_number(author=self._key.id)
            self._numbered = CommunityId(told.community), told.next_seq
        (community, seq), wires = self._numbered, list[bytes]()
        for kind, body, items in asked:
            plain = write_body(body) if isinstance(body, Struct) else body
            wires.append(written(community, self._key, seq + len(wires), AccountId(account), kind, plain, items))
        self._numbered = community, seq + len(wires)
        return wires

    def close(self) -> None:
        """Let go of the sockets."""
        self._line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
