"""A community in which auctions are held, with a utility and a pen for owners and bidders."""

from typing import Any

from community import MEMBERS, Community, Flow
from msgspec import Struct
from waking import check_woken, sleep

from commonwatt.flows.rulebook.market.auctions import auction_bodies as bodies
from commonwatt.market.auctions import Auction, Form, Good
from commonwatt.market.auctions.auction import Why
from commonwatt.market.auctions.sealed import commitment, reserve_commitment
from commonwatt.model import MICRO, AccountId, Commodity, Kind, Outcome, Side

SUNNY = Flow(solar_wh=1_000, charge_wh=1_000)
"""A clean charge: 900 Wh are stored, 810 WATT are minted."""
SALT = "5a" * 32
LASTS_S = 300


class Hall(Community):
    """Anna has WATT to sell, a utility has money to buy with; everybody can bid."""

    def __init__(self, **more: Any) -> None:
        super().__init__(3, **more)
        assert self.register_key("utility", "utility", "utility") is Outcome.BOOKED
        self.pay("utility", 50 * MICRO, "first utility")
        self.live(anna=SUNNY)

    def do(self, who: str, body: Struct) -> Outcome:
        return self.ask(who, Kind.AUCTION, body)

    def open(self, who: str = "anna", form: Form = Form.ENGLISH, **more: Any) -> tuple[str, Outcome]:
        """Put 500 WATT up for five minutes from now on, or what else is told; return its name and the outcome."""
        given: dict[str, Any] = {
            "side": Side.ASK,
            "good": Good.WATT,
            "amount": 500,
            "start_s": self.now_s,
            "end_s": self.now_s + LASTS_S,
            "reserve_price": 100_000,
        }
        if form in (Form.FIRST_PRICE, Form.SECOND_PRICE):
            given["reveal_s"] = 100
        if more.get("reserve_hash"):
            given["reserve_price"] = None
        name = str(len(self.sequencer.tree))
        return name, self.do(who, bodies.Open(form=form, **(given | more)))

    def bid(self, who: str, auction: str, price: int, amount: int = 500) -> Outcome:
        return self.do(who, bodies.Offer(auction=auction, amount=amount, price_micro_per_kwh=price))

    def seal(self, who: str, auction: str, price: int, amount: int = 500, salt: str = SALT) -> Outcome:
        told = commitment(auction, AccountId(who), amount, price, salt)
        return self.do(who, bodies.Seal(auction=auction, hash=told))

    def reveal(self, who: str, auction: str, price: int, amount: int = 500, salt: str = SALT) -> Outcome:
        return self.do(who, bodies.Reveal(auction=auction, amount=amount, price_micro_per_kwh=price, salt=salt))

    def reveal_reserve(self, who: str, auction: str, price: int, salt: str = SALT) -> Outcome:
        return self.do(who, bodies.RevealReserve(auction=auction, price_micro_per_kwh=price, salt=salt))

    def live_until(self, end_s: int, silent: tuple[str, ...] = (), **flows: Flow) -> None:
        """Live through slot after slot until all before a time are settled, and let what is due be done."""
        while self.state.settled_to_s < end_s:
            self.live(silent=silent, **flows)
        self.at(self.now_s)

    def at(self, now_s: int) -> None:
        """Let time pass, and a request of no use close what is due; who sleeps meanwhile wakes in `check_rebuilt`."""
        sleep(self)
        self.now_s = now_s
        self.agree("anna", "anna-battery")

    def auction(self, name: str) -> Auction:
        found = self.state.auctions.get(name)
        assert found is not None
        return found

    def why(self, name: str) -> Why:
        result = self.auction(name).result
        assert result is not None
        return result.why

    def fates(self, name: str) -> dict[str, Why]:
        result = self.auction(name).result
        assert result is not None
        return {str(bidder): why for bidder, why in result.bidders}

    def won(self, name: str) -> list[tuple[str, int, int]]:
        result = self.auction(name).result
        assert result is not None
        return [(award.bidder, award.amount, award.price) for award in result.awards]

    def reserved(self, account: str, commodity: Commodity = Commodity.ERGON) -> int:
        return self.state.wallets.transfers.reserved(AccountId(account), commodity)

    def all_reserved(self) -> int:
        return sum(
            self.reserved(who, commodity)
            for who in (*MEMBERS, "utility")
            for commodity in (Commodity.ERGON, Commodity.WATT)
        )

    def check_rebuilt(self) -> None:
        """Hold that replay from zero, and whoever slept where time passed and woke again, lead to the same root."""
        check_woken(self)


def sealed_reserve(who: str, price: int, salt: str = SALT) -> str:
    return reserve_commitment(AccountId(who), price, salt)
