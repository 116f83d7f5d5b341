"""The markets over HTTP: what stands, who traded, and orders; written by scripts/client.py, not by hand."""

from collections.abc import Mapping

from commonwatt.apps.api.answers import Page
from commonwatt.apps.api.v1.writing import WriteDone
from commonwatt.apps.views.deals import Deals, StoredTrade
from commonwatt.apps.views.depth import Depth
from commonwatt.apps.views.market import Market, OwnMarket, SlotPrice, TradeView
from commonwatt.client.line import Line, new_key, part


class Markets:
    """The markets over HTTP: what stands, who traded, and orders."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def market(self) -> Market:
        """What stands on the markets.

        The WATT book with backed and unbacked volume, the slots at hand, listings and auctions.
        """
        return self._line.call("GET", "/market", Market)

    def trades(
        self,
        *,
        from_s: int = 0,
        to_s: int = 32503680000,
        account: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[TradeView]:
        """Trades, under pseudonyms.

        Energy of slots that neighbours traded, the newest slot first; a page holds whole slots.
        """
        return self._line.call(
            "GET",
            "/trades",
            Page[TradeView],
            query={"from_s": from_s, "to_s": to_s, "account": account, "cursor": cursor, "limit": limit},
        )

    def own(self, account: str) -> OwnMarket:
        """Own orders and agent.

        What an account has standing in both markets, and its agent's prices.
        """
        return self._line.call("GET", f"/accounts/{part(account)}/orders", OwnMarket)

    def order(self, account: str, body: Mapping[str, object], *, key: str | None = None) -> WriteDone:
        """Place an order, or switch the agent on.

        An order body as the guide to the markets has it: `what` is `slot`, `watt`, `sealed`, `reveal` or `agent`. Asked
        again with the same `key` within a day, it is not done anew.
        """
        return self._line.call("POST", f"/accounts/{part(account)}/orders", WriteDone, told=body, key=key or new_key())

    def cancel(self, account: str, name: str, *, key: str | None = None) -> WriteDone:
        """Take an order back.

        Out of the WATT book, or of a slot whose gate is open. Asked again with the same `key` within a day, it is not
        done anew.
        """
        return self._line.call(
            "POST", f"/accounts/{part(account)}/orders/{part(name)}/cancel", WriteDone, key=key or new_key()
        )

    def agent_off(self, account: str, *, key: str | None = None) -> WriteDone:
        """Switch the agent off.

        What it has standing goes. Asked again with the same `key` within a day, it is not done anew.
        """
        return self._line.call("POST", f"/accounts/{part(account)}/agent/off", WriteDone, key=key or new_key())

    def depth(self) -> Depth:
        """How deep the WATT book is.

        Each price with what could trade now and what only counts for the price.
        """
        return self._line.call("GET", "/market/depth", Depth)

    def deals(self) -> Deals:
        """Direct sales, auctions, contracts on offer.

        What is to be had beside the markets; contracts with what one's own assets could earn.
        """
        return self._line.call("GET", "/market/deals", Deals)

    def stored(self, *, limit: int = 50) -> list[StoredTrade]:
        """Trades of stored energy.

        WATT that went from one to another for money, under pseudonyms, the newest first.
        """
        return self._line.call("GET", "/market/stored", list[StoredTrade], query={"limit": limit})

    def prices(
        self, *, from_s: int = 0, to_s: int = 32503680000, cursor: str | None = None, limit: int = 100
    ) -> Page[SlotPrice]:
        """Prices of slots.

        Neighbours' mean price between what the grid gives and takes, the newest slot first.
        """
        return self._line.call(
            "GET",
            "/market/prices",
            Page[SlotPrice],
            query={"from_s": from_s, "to_s": to_s, "cursor": cursor, "limit": limit},
        )
