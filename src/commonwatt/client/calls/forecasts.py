"""Forecasts over HTTP; written by scripts/client.py, not by hand."""

from collections.abc import Mapping

from commonwatt.apps.views.alarms import AlarmView
from commonwatt.apps.views.cars_ahead import CarAhead
from commonwatt.apps.views.foresight import Card, Futures, SeriesView
from commonwatt.apps.views.proposals import Outlooks, Proposal
from commonwatt.client.line import Line, part


class Forecasts:
    """Forecasts over HTTP."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def community_ahead(self, *, days: int = 2) -> list[SeriesView]:
        """Forecasts of sums and of the price.

        The community, its roofs, its zones and the price: yesterday, today and days ahead with what came. Issued at the
        start of the local day; who asks first on a day waits some seconds. No sum of fewer than three homes.
        """
        return self._line.call("GET", "/forecasts/community", list[SeriesView], query={"days": days})

    def futures_ahead(self, *, count: int = 20) -> Futures:
        """Futures of sums.

        Whole futures of the community and its zones, today and tomorrow: each is as likely as any other. What was high
        together on a past day, over slots and zones, is high together in one of them. None where too little is known
        yet. The same is told whoever asks, as often as they ask on that day.
        """
        return self._line.call("GET", "/forecasts/scenarios", Futures, query={"count": count})

    def price_ahead(self, *, days: int = 2) -> list[SeriesView]:
        """Forecasts of prices and carbon.

        From the grid, to it and among neighbours, micro per kWh, and the grid's carbon, mg per kWh. Slots that are
        published already show what came.
        """
        return self._line.call("GET", "/forecasts/price", list[SeriesView], query={"days": days})

    def scores(self) -> list[Card]:
        """Score cards.

        How good each forecast was, beside its two baselines, as far as who asks may see; which is used, and why.
        """
        return self._line.call("GET", "/forecasts/scores", list[Card])

    def home_ahead(self, account: str, *, days: int = 2) -> list[SeriesView]:
        """Forecasts of a home.

        A member's own use, roof and heat pumps, Wh a slot: yesterday, today and days ahead with what came.
        """
        return self._line.call("GET", f"/forecasts/homes/{part(account)}", list[SeriesView], query={"days": days})

    def cars_next(self, account: str) -> list[CarAhead]:
        """Forecasts of a member's cars.

        Of each car when it leaves and what it needs, or when it is back: quantiles as of now, and how good they were.
        """
        return self._line.call("GET", f"/forecasts/cars/{part(account)}", list[CarAhead])

    def meaning(self) -> Outlooks:
        """What today's forecast means.

        When zones may pass what was stated about them, and when they have sun left over; today and tomorrow.
        """
        return self._line.call("GET", "/forecasts/outlooks", Outlooks)

    def proposed(self, account: str) -> list[Proposal]:
        """Habits that are proposed as statements.

        What recurs in how an account's cars are used and is neither stated nor declined; nothing of it holds yet.
        """
        return self._line.call("GET", f"/accounts/{part(account)}/proposals", list[Proposal])

    def answer_habit(self, account: str, id: str, body: Mapping[str, object]) -> None:
        """Accept or decline a habit.

        With a yes its line is stated, as proposed or in the words that are given; a no is remembered.
        """
        return self._line.call("POST", f"/accounts/{part(account)}/proposals/{part(id)}", type(None), told=body)

    def all_alarms(self) -> list[AlarmView]:
        """What ails devices.

        All alarms of the community, the costliest first, each with evidence, rate of false alarms and what to do.
        """
        return self._line.call("GET", "/alarms", list[AlarmView])

    def own_alarms(self, account: str) -> list[AlarmView]:
        """What ails one's devices.

        The alarms of an account's devices, the costliest first.
        """
        return self._line.call("GET", f"/accounts/{part(account)}/alarms", list[AlarmView])

    def reply_to_alarm(self, account: str, id: str, body: Mapping[str, object]) -> None:
        """Answer an alarm.

        Accept or decline its visit, say that it was mended or stays as it is, or take back what was answered. What was
        mended is looked at anew from now on; what stays as it is alarms again once it is clearly worse. Whoever looks
        after a device may say that it was mended, its owner everything else.
        """
        return self._line.call("POST", f"/accounts/{part(account)}/alarms/{part(id)}", type(None), told=body)
