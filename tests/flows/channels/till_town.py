"""A tiny community whose till takes vouchers of channels on a chain, over real HTTP where a test asks for it."""

from pathlib import Path

from community import NAME, Community, key
from fastapi import FastAPI

from channel_hall import DELAY_S, PAYEE, PAYER, SIGNER, Hall
from commonwatt.adapters.payments.till import till_app
from commonwatt.adapters.stores.vouchers import HeldFile, PocketFile
from commonwatt.flows.channels.contract import Channels
from commonwatt.flows.channels.ports import Answer, Payment, Teller
from commonwatt.flows.channels.purse import Channel, Purse
from commonwatt.flows.channels.terms import Terms
from commonwatt.flows.channels.till import Till
from commonwatt.flows.payments import PaymentDesk
from commonwatt.model import Outcome
from commonwatt.simulator.sandbox_bank import serving
from commonwatt.tokens.channel import Config, Payer, Voucher

__all__ = ["BookInMemory", "Town", "serving"]


class BookInMemory:
    """A payer's pocket that a test looks into."""

    def __init__(self) -> None:
        self.kept: list[Payer] = []

    def book(self) -> Payer | None:
        return self.kept[-1] if self.kept else None

    def keep(self, payer: Payer) -> None:
        self.kept.append(payer)


class Town:
    """The community, its desk and its till; the chain is shared with whoever else is given it."""

    def __init__(self, folder: Path, hall: Hall | None = None, town: Community | None = None) -> None:
        self.hall = hall or Hall()
        self.town = town or Community(2)
        self.folder = folder
        self.desk = PaymentDesk(self.town.sequencer, key("payment"), lambda: self.town.now_s)
        self.terms = Terms(
            community=NAME,
            chain_id=self.hall.chain.chain_id,
            contract=self.hall.channels.contract.address,
            payee=PAYEE.id,
            token=self.hall.token.address,
            least_delay_s=DELAY_S,
        )
        self.start()

    @property
    def channels(self) -> Channels:
        return self.hall.channels

    def start(self) -> None:
        """Begin a life of the till."""
        self.held = HeldFile(self.folder / "held.sqlite")
        self.till = Till(self.channels, self.terms, self.held, self.desk, self.knows)

    def knows(self, account: str) -> bool:
        return account in self.town.members

    def app(self) -> FastAPI:
        return till_app(self.till.take, self.terms)

    def open(self, account: str = "anna", deposit: int = 5_000_000, number: int = 0, delay_s: int = DELAY_S) -> Channel:
        """Open a channel by a permit: one transaction."""
        config = self.config(account, number, delay_s)
        until_s = self.hall.next_s + 3_600
        self.hall.done(self.channels.deposit_by_permit(PAYER, config, deposit, self.hall.token, until_s))
        return self.channel(account, deposit, number, delay_s)

    def config(self, account: str = "anna", number: int = 0, delay_s: int = DELAY_S) -> Config:
        return self.terms.config(PAYER.id, SIGNER.id, account, number, delay_s)

    def channel(
        self, account: str = "anna", deposit: int = 5_000_000, number: int = 0, delay_s: int = DELAY_S
    ) -> Channel:
        return Channel(
            id=self.channels.id(self.config(account, number, delay_s)),
            account=account,
            payer=PAYER.id,
            signer=SIGNER.id,
            delay_s=delay_s,
            deposit=deposit,
            number=number,
        )

    def sign(self, channel: str, total: int) -> Voucher:
        return self.channels.sign(SIGNER, channel, total)

    def show(self, channel: Channel, total: int) -> Answer:
        return self.till.take(channel.payment(self.sign(channel.id, total)))

    def purse(self, channel: Channel, teller: Teller, name: str = "pocket.sqlite") -> Purse:
        return Purse(channel, self.sign, PocketFile(self.folder / name), teller)

    def ergon(self, account: str = "anna") -> int:
        return self.town.ergon(account)

    def booked(self) -> list[Outcome]:
        return [row.outcome for row in self.town.rows()]


class Straight:
    """A line straight to a till, that may be cut."""

    def __init__(self, town: Town) -> None:
        self.town, self.shown = town, list[int]()

    def show(self, payment: Payment) -> Answer:
        self.shown.append(payment.voucher.total)
        return self.town.till.take(payment)
