"""The story of a car that charges away from home: what it may owe is on its account there before it says its word.

The station's community need not know where the car comes from, and needs no treaty with that community: the car has
opened a channel to it on the chain that they share, and its till takes the vouchers. What a session does not use
stays on the account, for the next one.
"""

from collections.abc import Callable

from commonwatt.flows.channels.purse import Purse
from commonwatt.flows.charge_session import Car
from commonwatt.flows.rulebook.charging.session_bodies import Authorise
from commonwatt.model import Refused, Unreachable


class PayingCar:
    """A car that pays through its channel before it authorises; implements `commonwatt.flows.charge_session.Car`.

    Args:
        car: What it wants, and when it has enough.
        purse: Its channel to the station's community.
        free_micro: Tells what is free on its account there.
        word: Told in words why it does not charge.
    """

    def __init__(
        self,
        car: Car,
        purse: Purse,
        free_micro: Callable[[], int],
        word: Callable[[str], None] = lambda word: None,
    ) -> None:
        self._car, self._purse, self._free_micro, self._word = car, purse, free_micro, word
        self._wish: Authorise | None = None
        self._owed_for: Authorise | None = None

    def wish(self, now_s: int) -> Authorise | None:
        """Return what it would authorise now, once it has paid for it; None while it wants nothing, or cannot pay.

        A till that gives no answer is asked again the next time; nothing is paid twice for one wish.
        """
        if self._wish is not None and self._wish.until_s <= now_s:
            self._wish = None  # what was paid meanwhile is there for the next one
        self._wish = wish = self._wish or self._car.wish(now_s)
        if wish is None or not self._paid(wish, now_s):
            return None
        self._wish = None
        return wish

    def leaves(self, now_s: int, counted_wh: int) -> bool:
        """Tell whether it has enough, or drives away."""
        return self._car.leaves(now_s, counted_wh)

    def _paid(self, wish: Authorise, now_s: int) -> bool:
        missing = wish.most_micro - self._free_micro()
        if missing <= 0:
            return True
        if self._owed_for != wish and self._purse.book.unheard is None:
            self._purse.owe(missing, now_s)
            self._owed_for = wish
        try:
            self._purse.pay()
        except (Unreachable, Refused) as error:
            self._word(f"it does not charge: {error}")
            return False
        if self._purse.short:
            self._word(f"it does not charge: its channel is {self._purse.short} micro short")
        return self._free_micro() >= wish.most_micro
