"""A car on paper: what it wants at a station, said once; what flows into it is the station's business."""

from dataclasses import dataclass

from commonwatt.flows.rulebook.charging.session_bodies import Authorise


@dataclass(slots=True, kw_only=True)
class PaperCar:
    """A car that wants so much at a station, and authorises it once."""

    station: str
    wants_wh: int
    most_micro: int
    lasts_s: int
    asked: bool = False

    def wish(self, now_s: int) -> Authorise | None:
        """Return its wish, the first time."""
        if self.asked:
            return None
        self.asked = True
        return Authorise(
            station=self.station, most_wh=2 * self.wants_wh, most_micro=self.most_micro, until_s=now_s + self.lasts_s
        )

    def leaves(self, now_s: int, counted_wh: int) -> bool:
        """Tell whether it has what it wanted."""
        return counted_wh >= self.wants_wh
