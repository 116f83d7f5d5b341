"""A charge point on paper: power, a register, and a link that can be down; the oracle of the one on the wire."""

from dataclasses import dataclass, field

from commonwatt.flows.charge_session import StationReading

SECONDS_PER_HOUR = 3600


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

    def over(self, session: str, now_s: int) -> bool:
        """Tell that nobody pulls a plug on paper."""
        return False

    def reading(self, session: str, now_s: int) -> StationReading | None:
        """Return the register at start and end."""
        flow = self._flows.get(session)
        if not self.readable or flow is None or flow.ended_wh is None:
            return None
        return StationReading(flow.began_wh, flow.ended_wh)

    def _flowed_wh(self, flow: _Flow, now_s: int) -> int:
        seconds = min(now_s, flow.until_s) - flow.began_s
        return min(flow.most_wh, self.power_w * seconds // SECONDS_PER_HOUR)
