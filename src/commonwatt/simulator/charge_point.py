"""A charge point and a car on paper: power, a register, a plug, and a link that can be down."""

from dataclasses import dataclass, field

from commonwatt.flows.rulebook.charging.session_bodies import Authorise

SECONDS_PER_HOUR = 3600


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


@dataclass(slots=True)
class _Flow:
    began_s: int
    began_wh: int
    most_wh: int
    until_s: int
    ended_wh: int | None = None


@dataclass(slots=True, kw_only=True)
class PaperStation:
    """A station that charges at one power. ``linked`` is whether its counts come through, ``readable`` whether its
    register can be read."""

    power_w: int
    shows_wh: int = 0
    linked: bool = True
    readable: bool = True
    _flows: dict[str, _Flow] = field(default_factory=dict)

    def register_wh(self, now_s: int) -> int:
        """Return what its meter shows."""
        running = [flow for flow in self._flows.values() if flow.ended_wh is None]
        return self.shows_wh + sum(self._flowed_wh(flow, now_s) for flow in running)

    def begin(self, session: str, most_wh: int, until_s: int, now_s: int) -> None:
        """Let energy flow."""
        if session not in self._flows:
            self._flows[session] = _Flow(now_s, self.shows_wh, most_wh, until_s)

    def count(self, session: str, now_s: int) -> int | None:
        """Return what a session has taken."""
        return self._flowed_wh(self._flows[session], now_s) if self.linked else None

    def stop(self, session: str, now_s: int) -> None:
        """Let no more energy flow."""
        flow = self._flows.get(session)
        if flow is not None and flow.ended_wh is None:
            self.shows_wh += self._flowed_wh(flow, now_s)
            flow.ended_wh = self.shows_wh

    def reading(self, session: str, now_s: int) -> tuple[int, int] | None:
        """Return the register at start and end."""
        flow = self._flows.get(session)
        if not self.readable or flow is None or flow.ended_wh is None:
            return None
        return flow.began_wh, flow.ended_wh

    def _flowed_wh(self, flow: _Flow, now_s: int) -> int:
        seconds = min(now_s, flow.until_s) - flow.began_s
        return min(flow.most_wh, self.power_w * seconds // SECONDS_PER_HOUR)
