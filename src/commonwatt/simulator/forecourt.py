"""A car and a charge point on paper: power flows while both are there, and a register counts it."""

from dataclasses import dataclass, field

from commonwatt.flows.rulebook.session_bodies import Authorise


@dataclass(slots=True)
class PaperCar:
    """A car that wants so much energy, and perhaps leaves before; see `commonwatt.flows.charge_session.Car`.

    Args:
        wants: What it authorises.
        enough_wh: With how much it is content.
        leaves_s: When it has to go, seconds since 1970; None where it has time.
    """

    wants: Authorise
    enough_wh: int
    leaves_s: int | None = None
    _done: bool = False

    def wish(self, now_s: int) -> Authorise | None:
        """Return what it wants until it has left."""
        gone = self._done or (self.leaves_s is not None and now_s >= self.leaves_s)
        return None if gone else self.wants

    def leaves(self, energy_wh: int, now_s: int) -> bool:
        """Tell whether it has enough, or no time."""
        self._done = energy_wh >= self.enough_wh or (self.leaves_s is not None and now_s >= self.leaves_s)
        return self._done


@dataclass(slots=True)
class PaperPoint:
    """A charge point of a power; see `commonwatt.flows.charge_session.ChargePoint`.

    Args:
        power_w: What it delivers.
        register_wh: What its register shows at first.
        reached: Whether its link holds.
        hidden_wh: How much more than that it says has flowed.
    """

    power_w: int
    register_wh: int = 0
    reached: bool = True
    hidden_wh: int = 0
    _begun: dict[str, tuple[int, int]] = field(default_factory=dict)
    _ended: dict[str, tuple[int, int]] = field(default_factory=dict)

    def begin(self, session: str, now_s: int) -> int | None:
        """Begin to deliver."""
        if not self.reached:
            return None
        return self._begun.setdefault(session, (now_s, self.register_wh))[1]

    def count(self, session: str, now_s: int) -> int | None:
        """Count what has flowed, and say a little more where it is no honest one."""
        return self._flowed_wh(session, now_s) + self.hidden_wh if self.reached else None

    def end(self, session: str, now_s: int) -> tuple[int, int] | None:
        """Stop; the register stays where it is."""
        if not self.reached:
            return None
        if session not in self._ended:
            start_wh = self._begun[session][1]
            self.register_wh = start_wh + self._flowed_wh(session, now_s)
            self._ended[session] = start_wh, self.register_wh
        return self._ended[session]

    def _flowed_wh(self, session: str, now_s: int) -> int:
        if session in self._ended:
            start_wh, end_wh = self._ended[session]
            return end_wh - start_wh
        return self.power_w * (now_s - self._begun[session][0]) // 3600
