"""What a gateway signs: answers to commands, and batches of readings, each under its next number."""

import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from commonwatt.flows.intake import read_request
from commonwatt.flows.rulebook.bodies import AckBody, AckItem, batch_head, write_body
from commonwatt.identity.keys import RequestSigner, sign_request
from commonwatt.metering.batch import MOST_ITEMS, Item, encode_items
from commonwatt.metering.personal import PersonalItem, encode_personal
from commonwatt.model import AccountId, CommunityId, GatewayId, Kind, Request

Felt = Callable[[int], PersonalItem]
"""Tells what a gateway felt of its home in a slot: for its owner alone."""


class Pen:
    """Signs for one gateway.

    Args:
        community: For which log.
        number: The gateway's.
        key: Its own; it may lie in a secure element.
        secret: From which the blinds of records and the salts of personal parts are drawn; never told.
        seq: The last number that was used; whoever owns the pen keeps it together with what was signed.
    """

    def __init__(self, community: str, number: GatewayId, key: RequestSigner, secret: bytes, seq: int = 0) -> None:
        self._community, self._number, self._key, self._secret = CommunityId(community), number, key, secret
        self.seq = seq

    def acks(self, slot_s: int, acks: list[AckItem]) -> bytes:
        """Sign what became of a slot's commands."""
        return self._sign(Kind.ACK, write_body(AckBody(gateway=self._number, slot_s=slot_s, acks=acks)))

    def readings(self, items: Iterable[Item], slot_s: int, felt: Felt | None = None) -> list[bytes]:
        """Sign what meters told in a slot, of it and of others, a batch at a time.

        Args:
            items: Their blinds are drawn here.
            slot_s: The slot in which this is told.
            felt: What was felt beside it.
        """
        signed = []
        for number, batch in enumerate(_batches([self._blinded(item, slot_s) for item in items])):
            packed, personal = encode_items(batch), b""
            if felt is not None:
                salt = hmac.digest(self._secret, f"personal {slot_s} {number}".encode(), "sha256")
                personal = encode_personal(_beside(batch, felt), salt)
            head = write_body(batch_head(self._number, packed, personal))
            signed.append(self._sign(Kind.READING_BATCH, head, packed, personal))
        return signed

    def again(self, wire: bytes) -> bytes:
        """Sign a request that waits once more, under the next number."""
        self.seq += 1
        return sign_request(replace(read_request(wire), seq=self.seq), self._key).wire_bytes()

    def _blinded(self, item: Item, slot_s: int) -> Item:
        """Return an item with its blind, each telling of a slot with another."""
        told = f"{item.start_s} {item.register}" + (f" {slot_s}" if slot_s != item.start_s else "")
        return replace(item, blind=int.from_bytes(hmac.digest(self._secret, told.encode(), "sha256")[:8]))

    def _sign(self, kind: Kind, body: dict[str, object], items: bytes = b"", personal: bytes = b"") -> bytes:
        self.seq += 1
        request = Request(
            community=self._community,
            kind=kind,
            author=self._key.id,
            seq=self.seq,
            on_behalf_of=AccountId(self._number),
            body=body,
            items=items,
            personal=personal,
        )
        return sign_request(request, self._key).wire_bytes()


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Yield items in batches; those of one slot stay together, since a home's meters are judged together."""
    batch: list[Item] = []
    for _, slot in groupby(sorted(items, key=lambda item: item.start_s), key=lambda item: item.start_s):
        together = list(slot)
        if len(batch) + len(together) > MOST_ITEMS:
            yield _in_order(batch)
            batch = []
        batch += together
    if batch:
        yield _in_order(batch)


def _in_order(batch: list[Item]) -> list[Item]:
    return sorted(batch, key=lambda item: (item.register, item.start_s))


def _beside(batch: Iterable[Item], felt: Felt) -> list[PersonalItem]:
    """Return what goes beside each item: what was felt in a slot stands once, beside its first one."""
    said: set[int] = set()
    beside = []
    for item in batch:
        beside.append(PersonalItem() if item.start_s in said else felt(item.start_s))
        said.add(item.start_s)
    return beside
