"""The desk where requests are written, numbered and signed before they go to the log together."""

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.bodies import write_body
from commonwatt.identity.keys import RequestSigner, SigningKey, sign_request
from commonwatt.model import AccountId, CommunityId, KeyId, Kind, Request


class Desk:
    """One batch of requests in the making; each key's numbers go on from what the log has of it."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._pending: Counter[KeyId] = Counter()
        self.wires: list[bytes] = []

    def write(self, key: SigningKey, account: AccountId, kind: Kind, body: Struct, items: bytes = b"") -> None:
        """Sign a request for an account, with the packed records of a batch where it is one; put it on the pile."""
        seq = self._state.keys.next_seq(key.id) + self._pending[key.id]
        self._pending[key.id] += 1
        community = CommunityId(self._state.community)
        self.wires.append(written(community, key, seq, account, kind, write_body(body), items))


def written(
    community: CommunityId,
    key: RequestSigner,
    seq: int,
    account: AccountId,
    kind: Kind,
    body: Mapping[str, object],
    items: bytes = b"",
) -> bytes:
    """Return a signed request as it travels.

    Args:
        community: The log that it is for.
        key: Signs it.
        seq: The key's next number.
        account: For which it is asked.
        kind: Of the request.
        body: As it is signed.
        items: The packed records of a batch.

    Raises:
        InvalidValue: The body has no canonical form.
    """
    request = Request(
        community=community, kind=kind, author=key.id, seq=seq, on_behalf_of=account, body=body, items=items
    )
    return sign_request(request, key).wire_bytes()
