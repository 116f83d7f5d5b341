"""A person's own payment channels: opened on a chain, paid through at a till, taken back."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from commonwatt.adapters.payments.teller import HttpTeller
from commonwatt.adapters.stores.channel_cards import ChannelCard, ChannelCards
from commonwatt.apps.chain_wallet import ChainWallet, Offer, Party
from commonwatt.flows.chain_ports import TransactionSigner
from commonwatt.flows.channels.contract import Channels, config_parts
from commonwatt.flows.channels.ports import Answer
from commonwatt.flows.channels.purse import Channel, Purse
from commonwatt.flows.channels.terms import Terms
from commonwatt.model import KeyId, Refused
from commonwatt.tokens.channel import MOST_TOTAL, Standing

CARDS = "channels"
"""In a wallet's folder."""
PERMIT_S = 3_600
"""So long a permit counts: a network may take some minutes until it has taken it up."""
Card = ChannelCard
"""What a payer keeps of a channel."""
_TILL = re.compile(r"(https://[^\s/][^\s]*|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A payer's channel as it stands.

    Args:
        channel: Its id.
        state: In a word: ``not open``, ``open``, ``ending``, ``to be finished`` or ``closed``.
        account: For whom it pays, and in which community.
        community: Likewise.
        till: Where vouchers are shown.
        payee: Who is paid.
        deposit: What is deposited, base units, as last seen.
        final_deposit: What of it stays; no voucher is of more.
        claimed: What the payee has taken.
        owed: What was counted so far.
        signed: What the last voucher is of.
        heard: What of it the till has answered for.
        finish_at_s: When what is not owed can be taken back, seconds since 1970; 0 where that was not begun.
    """

    channel: str
    state: str
    account: str
    community: str
    till: str
    payee: Party
    deposit: int
    final_deposit: int
    claimed: int
    owed: int
    signed: int
    heard: int
    finish_at_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """What a till made of a voucher: its verdict, what it holds of the channel now, and what is left to pay with."""

    channel: str
    verdict: str
    total: int
    left: int


@dataclass(frozen=True, slots=True)
class Channeling:
    """A wallet's channels on one chain.

    Args:
        here: The wallet there.
        cards: Its channels.
        now_s: The time, seconds since 1970.
    """

    here: ChainWallet
    cards: ChannelCards
    now_s: Callable[[], int] = lambda: int(time.time())

    @property
    def channels(self) -> Channels:
        """The contract."""
        return Channels(self.here.chain, self.here.deployment.contract("Channel"))

    def drawn(
        self, till: str, payer: KeyId, account: str, number: int, signer: KeyId | None, delay_s: int | None
    ) -> ChannelCard:
        """Return the card of a channel that a till would take; nothing is kept or sent yet.

        Args:
            till: Where it is: by https, or by http on this machine alone.
            payer: Who deposits.
            account: For whom it pays there.
            number: Which of that account's channels.
            signer: Whose key signs vouchers, where it is not the payer's.
            delay_s: How long the payee can claim; what the till asks for at least where none is given.

        Raises:
            Refused: The till is elsewhere, on another chain or contract, or wants another token or a longer delay.
            InvalidValue: There can be no such channel.
            Unreachable: The till gives no answer.
        """
        terms = _terms(till)
        contract, token = self.channels.contract.address, self.here.deployment.contracts["Ergon"]
        if (terms.chain_id, terms.contract, terms.token) != (self.here.chain.chain_id, contract, token):
            raise Refused(
                "a channel pays on this chain, by its contract of channels, in its ERGON",
                chain_id=terms.chain_id, contract=terms.contract, token=terms.token,
            )  # fmt: skip
        config = terms.config(payer, signer or payer, account, number, delay_s)
        if config.delay_s < terms.least_delay_s:
            raise Refused("a till needs time to claim", delay_s=config.delay_s, least_delay_s=terms.least_delay_s)
        return ChannelCard(
            channel=self.channels.id(config),
            till=till,
            community=terms.community,
            account=account,
            number=number,
            chain_id=terms.chain_id,
            contract=contract,
            payer=config.payer,
            signer=config.signer,
            payee=config.payee,
            token=token,
            delay_s=config.delay_s,
            salt=f"{config.salt:064x}",
        )

    def offer_deposit(self, card: ChannelCard, key: TransactionSigner, amount: int, what: str) -> Offer:
        """Return the one transaction that opens a channel, or adds to it; the permit in it is signed already.

        Args:
            card: The channel.
            key: The payer's: the contract is allowed to take this amount, once, within an hour.
            amount: Base units of ERGON.
            what: In words.

        Raises:
            Reverted: The contract would refuse it: too little is held, or the channel is ending or closed.
            Refused: Nothing is deposited, or the node would refuse it.
        """
        if not 0 < amount <= MOST_TOTAL:
            raise Refused("what is deposited is more than nothing", found=amount)
        channels, ergon = self.channels, self.here.deployment.contract("Ergon")
        until_s = max(self.now_s(), self.here.chain.head().time_s) + PERMIT_S
        signed = channels.permit(key, amount, ergon, until_s)
        return self._offer(card, "deposit_with_permit", what, amount, until_s, *signed)

    def offer_withdraw(self, card: ChannelCard, what: str) -> Offer:
        """Return the transaction that begins to take back what is not owed; raises as `ChainWallet.offer_send`."""
        return self._offer(card, "withdraw", what)

    def offer_finish(self, card: ChannelCard, source: KeyId, what: str) -> Offer:
        """Return the transaction that ends a channel whose withdrawal has waited; anybody may. Raises likewise."""
        return self._offer(card, "finish", what, source=source)

    def pay(self, card: ChannelCard, key: TransactionSigner, amount: int) -> Paid | None:
        """Owe more through a channel, and show its till what is signed; with nothing, show what waits.

        What is signed is kept before it is shown: if the till gives no answer, the same is shown the next time.

        Args:
            card: The channel.
            key: Its signer's.
            amount: Base units; 0 to owe no more.

        Returns:
            What the till made of it; None where nothing waits.

        Raises:
            Refused: The key is not the channel's, it is not open for good, its deposit is too small, the till takes
                no such voucher, or holds more than this wallet remembers.
            Unreachable: The till or the chain gives no answer.
            OSError: The disk does not take it: nothing was signed.
        """
        if key.id != card.signer:
            raise Refused("vouchers are signed by the channel's signer", signer=card.signer, key=key.id)
        final, seen = self.channels.final(card.channel), self.channels.seen(card.channel)
        if final.closed or seen.closed or seen.finish_at_s:
            raise Refused("a channel that ends takes no more payments", channel=card.channel)
        with self.cards.pocket(card) as pocket, HttpTeller(card.till) as teller:
            purse = Purse(_channel(card, final), lambda id_, total: self.channels.sign(key, id_, total), pocket, teller)
            left = final.deposit - max(purse.book.owed, purse.book.signed)
            if amount > left:
                raise Refused("a channel pays up to its final deposit: add to it", left=left, amount=amount)
            if amount:
                purse.owe(amount, max(self.now_s(), purse.book.counted_to_s + 1))
            answer = purse.pay()
            return None if answer is None else _paid(card, answer, purse, final)

    def seen(self, card: ChannelCard) -> Seen:
        """Return how a channel stands.

        Raises:
            Unreachable: The chain gives no answer.
            Corrupt: The book is damaged.
        """
        standing, final = self.channels.seen(card.channel), self.channels.final(card.channel)
        with self.cards.pocket(card) as pocket:
            book = pocket.book()
        return Seen(
            channel=card.channel,
            state=state_of(standing, max(self.now_s(), self.here.chain.head().time_s)),
            account=card.account,
            community=card.community,
            till=card.till,
            payee=self.here.party(card.payee),
            deposit=standing.deposit,
            final_deposit=final.deposit,
            claimed=standing.claimed,
            owed=book.owed if book else 0,
            signed=book.signed if book else 0,
            heard=book.heard if book else 0,
            finish_at_s=standing.finish_at_s,
        )

    def _offer(self, card: ChannelCard, function: str, what: str, *args: object, source: KeyId | None = None) -> Offer:
        if (card.chain_id, card.contract) != (self.here.chain.chain_id, self.channels.contract.address):
            raise Refused("a channel is on its chain, in its contract", chain_id=card.chain_id, contract=card.contract)
        who, contract = source or KeyId(card.payer), self.channels.contract
        told = [config_parts(card.config), *args]
        made = self.here.chain.prepare(who, contract.address, function, told, abi=contract.abi)
        return Offer(what=what, source=self.here.party(who), target=self.here.party(contract.address), transaction=made)


def cards_in(wallet: Path) -> ChannelCards:
    """Return the channels of a wallet's folder."""
    return ChannelCards(wallet / CARDS)


def state_of(standing: Standing, now_s: int) -> str:
    """Say in a word how a channel stands."""
    if standing.closed:
        return "closed"
    if standing.finish_at_s:
        return "to be finished" if standing.finish_at_s <= now_s else "ending"
    return "open" if standing.deposit else "not open"


def _terms(till: str) -> Terms:
    if not _TILL.fullmatch(till):
        raise Refused("a till is asked by https, or by http on this machine", till=till[:200])
    with HttpTeller(till) as teller:
        return teller.terms()


def _channel(card: ChannelCard, final: Standing) -> Channel:
    return Channel(
        id=card.channel,
        account=card.account,
        payer=card.payer,
        signer=card.signer,
        delay_s=card.delay_s,
        deposit=final.deposit,
        number=card.number,
    )


def _paid(card: ChannelCard, answer: Answer, purse: Purse, final: Standing) -> Paid:
    if answer.total > purse.book.signed:
        # What was signed before the book was lost counts there: a voucher below it pays nothing.
        raise Refused(
            "a till holds no more than this wallet remembers: open another channel",
            remembered=purse.book.signed, held=answer.total,
        )  # fmt: skip
    left = final.deposit - max(purse.book.owed, purse.book.signed)
    return Paid(channel=card.channel, verdict=answer.verdict.value, total=answer.total, left=left)
