"""What is nobody's alone over HTTP; written by scripts/client.py, not by hand."""

from datetime import date

from commonwatt.apps.api.answers import Page
from commonwatt.apps.views.audit import LeafView, Standing
from commonwatt.apps.views.curves import CurveSlot
from commonwatt.apps.views.flexibility import OfferView
from commonwatt.apps.views.following import Followed
from commonwatt.apps.views.mapping import MapZone
from commonwatt.apps.views.operations import Operations
from commonwatt.apps.views.tariffs import Tariff
from commonwatt.apps.views.what_if import WhatIf
from commonwatt.apps.views.zones import FeederSlot, ZoneView
from commonwatt.client.line import Line, part
from commonwatt.model.request import Kind, Outcome


class Commons:
    """What is nobody's alone over HTTP."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def standing(self) -> Standing:
        """The community in figures.

        Size, roots, and how far it is settled.
        """
        return self._line.call("GET", "/community", Standing)

    def feeder(self, *, from_s: int = 0, to_s: int = 32503680000) -> list[FeederSlot]:
        """What the feeder's meter saw.

        The community's exchange with the grid, slot by slot.
        """
        return self._line.call("GET", "/feeder", list[FeederSlot], query={"from_s": from_s, "to_s": to_s})

    def all_zones(self, *, from_s: int = 0, to_s: int = 32503680000) -> list[ZoneView]:
        """Zones.

        Loads of zones against what is stated about them; no sum of fewer than three homes.
        """
        return self._line.call("GET", "/zones", list[ZoneView], query={"from_s": from_s, "to_s": to_s})

    def zone(self, name: str, *, from_s: int = 0, to_s: int = 32503680000) -> ZoneView:
        """One zone.

        One zone's load.
        """
        return self._line.call("GET", f"/zones/{part(name)}", ZoneView, query={"from_s": from_s, "to_s": to_s})

    def four_curves(self, *, from_s: int = 0, to_s: int = 32503680000) -> list[CurveSlot]:
        """The community's four curves.

        Demand alone, with unmanaged cars, with smart charging, with discharging; from what meters told.
        """
        return self._line.call("GET", "/curves", list[CurveSlot], query={"from_s": from_s, "to_s": to_s})

    def under_contract(self) -> list[OfferView]:
        """Flexibility under contract.

        Offers with their windows: promised, measured and paid, in sums of no fewer than three homes.
        """
        return self._line.call("GET", "/flexibility", list[OfferView])

    def how_it_runs(self) -> Operations:
        """How the community runs.

        Members, alarms, answers to commands, and money in and out.
        """
        return self._line.call("GET", "/operations", Operations)

    def by_zone(self) -> list[MapZone]:
        """The community by zone.

        Zones with their load and the homes that who asks may see; where a home stands, nobody tells.
        """
        return self._line.call("GET", "/map", list[MapZone])

    def demands(self) -> list[Followed]:
        """What became of DEMANDs.

        The last ones that began, the newest first: what homes drew against what they would have, in sums of three.
        """
        return self._line.call("GET", "/demands", list[Followed])

    def would_be(
        self,
        *,
        batteries: int = 0,
        cars: int = 0,
        roofs: int = 0,
        zone: str = "",
        limit_w: int = 0,
        import_percent: int = 100,
        export_percent: int = 100,
        demand_from_minute: int = 0,
        demand_to_minute: int = 0,
        demand_w: int = 0,
        day: date | None = None,
    ) -> WhatIf:
        """What would be.

        The next day, or a past one, planned as it is and changed, by the planner itself; it takes some seconds.
        """
        return self._line.call(
            "GET",
            "/what-if",
            WhatIf,
            query={
                "batteries": batteries,
                "cars": cars,
                "roofs": roofs,
                "zone": zone,
                "limit_w": limit_w,
                "import_percent": import_percent,
                "export_percent": export_percent,
                "demand_from_minute": demand_from_minute,
                "demand_to_minute": demand_to_minute,
                "demand_w": demand_w,
                "day": day,
            },
        )

    def days_to_try(self) -> list[date]:
        """Past days to try on.

        Local days of which enough meters told all of 24 hours, with prices, the last first.
        """
        return self._line.call("GET", "/what-if/days", list[date])

    def fees(self) -> Tariff:
        """Fees.

        What the community takes for what.
        """
        return self._line.call("GET", "/tariff", Tariff)

    def leaves(
        self,
        *,
        cursor: str | None = None,
        limit: int = 50,
        kind: list[Kind] | None = None,
        account: str | None = None,
        asset: str | None = None,
        outcome: Outcome | None = None,
    ) -> Page[LeafView]:
        """Search the log.

        The newest first. Everybody finds what was asked for their own account, an auditor what was asked for any.
        """
        return self._line.call(
            "GET",
            "/leaves",
            Page[LeafView],
            query={
                "cursor": cursor,
                "limit": limit,
                "kind": kind,
                "account": account,
                "asset": asset,
                "outcome": outcome,
            },
        )

    def leaf(self, position: int) -> LeafView:
        """One leaf.

        Where it stands, what was asked and what became of it; its content for who may read it.
        """
        return self._line.call("GET", f"/leaves/{part(position)}", LeafView)
