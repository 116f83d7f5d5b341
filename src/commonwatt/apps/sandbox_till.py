"""Top up a rehearsal's wallet with money that is none: the sandbox bank takes a card, and its signed word is booked."""

import secrets
from dataclasses import dataclass, field
from itertools import count

import httpx

from commonwatt.adapters.payments.translate import MICRO_PER_MINOR, check_signature, minor_units, read_event
from commonwatt.adapters.payments.webhook import SIGNATURE
from commonwatt.apps.api.problems import of_outcome
from commonwatt.apps.community import Community
from commonwatt.apps.publishing import TRUST
from commonwatt.apps.views.seeing import check
from commonwatt.flows.evidence import read_trust
from commonwatt.flows.payments import PAYMENT
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.model import AccountId, Kind, Outcome, Refused
from commonwatt.simulator.sandbox_bank import GOOD_CARD, SandboxBank

MOST_MICRO = 1_000 * 100 * MICRO_PER_MINOR
"""At once: enough to play with."""


def has_till(community: Community) -> bool:
    """Tell whether a community only plays, by its trust file, and its payment key is kept here."""
    trust = community.folder / TRUST
    return trust.exists() and read_trust(trust.read_bytes()).rehearsal and community.holds_key(PAYMENT)


@dataclass(slots=True)
class SandboxTill:
    """A bank and its webhook in this process, for one visitor; no money moves, and what it books is only play.

    Args:
        community: Which only plays.
        currency: What is paid in, ISO 4217.

    Raises:
        Refused: The community is real, or its payment key is not kept here.
    """

    community: Community
    currency: str
    _bank: SandboxBank = field(init=False)
    _secret: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not has_till(self.community):
            raise Refused("play money is for a rehearsal whose payment key is kept here", community=self.community.name)
        self._secret = secrets.token_bytes(32)
        # The books remember every payment by its name, so no two banks of one community may count alike.
        numbers = count(secrets.randbelow(2**60))
        key = secrets.token_urlsafe()
        self._bank = SandboxBank(key=key, secret=self._secret, clock=self.community.now_s, _numbers=numbers)

    async def pay(self, seat: Seat, account: AccountId, amount_micro: int, card: str = GOOD_CARD) -> None:
        """Pay by card, and have what the bank says of it booked.

        Args:
            seat: Who pays.
            account: Into whose wallet.
            amount_micro: How much, in whole hundredths of the currency.
            card: Its number; the bank takes one and refuses another.

        Raises:
            Unseen, Refused: The seat may not, it is too much, or the card was refused.
            InvalidValue: It is no amount that a bank moves.
            Problem: The log said no.
            OSError: The line to the door broke.
        """
        check(self.community, seat, Action.SEND_TOKENS, account)
        if amount_micro > MOST_MICRO:
            raise Refused(
                "play money is paid in up to so much at once", asked_micro=amount_micro, most_micro=MOST_MICRO
            )
        told = {"account": account, "amount": minor_units(amount_micro), "currency": self.currency, "card": card}
        names = {"authorization": f"Bearer {self._bank.key}", "idempotency-key": secrets.token_hex(16)}
        wire = httpx.ASGITransport(self._bank.app())
        async with httpx.AsyncClient(transport=wire, base_url="http://bank.invalid") as line:
            answer = await line.post("/cards/payments", json=told, headers=names)
        if answer.status_code != httpx.codes.CREATED:
            self._bank.outbox.clear()
            raise Refused("the bank took no money from this card", card=f"...{card[-4:]}")
        await self._hear()

    async def _hear(self) -> None:
        """Book what the bank tells, as its webhook would."""
        while self._bank.outbox:
            content = self._bank.outbox[0].content
            header = self._bank.signed(content)[SIGNATURE]
            check_signature(header, content, [self._secret], self.community.now_s())
            body = read_event(content, self.currency).body
            if body is not None:
                done = await self.community.send(PAYMENT, Kind.PURCHASE, body)
                if done.outcome not in (Outcome.BOOKED, Outcome.ALREADY_THERE):
                    raise of_outcome(done.outcome, Kind.PURCHASE.value, position=done.position)
            self._bank.outbox.pop(0)
