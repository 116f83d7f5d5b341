"""How a gateway pays: what its own meter counted, at the tariff it knows, by a voucher at each billing cycle's end.

The book lies in the gateway's memory, which is kept together with the readings that it follows from, or not at all: no
slot is paid twice and none is forgotten, whatever breaks. What was estimated is paid once it was read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from commonwatt.flows.channels.ports import Teller
from commonwatt.flows.channels.purse import PAID, Channel, Sign, Tariff, signed
from commonwatt.flows.gateway.gateway import Gateway
from commonwatt.metering.batch import Item, Quality
from commonwatt.model import SLOT_SECONDS, InvalidValue, Unreachable
from commonwatt.tokens.channel import Payer

LOOK_EVERY_S = 5.0
LONGEST_WAIT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Paying:
    """Counts what a gateway owes, and signs for it.

    Args:
        channel: Through which it pays.
        sign: With the key that the channel's config names; a gateway's own may be of P-256, which no contract checks.
        tariff: What its energy costs.
        register: Which of its meters is the connection's, as `Item` numbers them.
        cycle_s: How long a billing cycle is: whole slots.

    Raises:
        InvalidValue: The cycle is not of whole slots.
    """

    channel: Channel
    sign: Sign
    tariff: Tariff
    register: int
    cycle_s: int = SLOT_SECONDS

    def __post_init__(self) -> None:
        if self.cycle_s <= 0 or self.cycle_s % SLOT_SECONDS:
            raise InvalidValue(f"a billing cycle has whole slots of {SLOT_SECONDS} s, was {self.cycle_s} s")

    def after(self, payer: Payer | None, items: Sequence[Item], slot_s: int) -> Payer:
        """Return the book after a slot, with a voucher where the slot ends a cycle.

        Args:
            payer: The book before, be it another channel's; None where nothing was ever owed.
            items: What all meters told at the slot's end.
            slot_s: The slot's start.
        """
        payer = (payer or Payer(channel=self.channel.id)).through(self.channel.id)
        read = [item for item in items if item.register == self.register and item.quality is Quality.MEASURED]
        owed = sum(self.tariff.cost_micro(item.import_wh, item.export_wh) for item in read)
        end_s = slot_s + SLOT_SECONDS
        payer = payer.owing(owed, end_s)
        return payer if end_s % self.cycle_s else signed(payer, self.channel, self.sign)


class Courier:
    """Shows a gateway's last voucher to the till until it has answered for it; whatever lies before is worth nothing.

    Args:
        gateway: Whose.
        channel: Through which it pays.
        teller: The line to the till.
        alarm: Told in words what a person should know.
    """

    def __init__(self, gateway: Gateway, channel: Channel, teller: Teller, alarm: Callable[[str], None]) -> None:
        self._gateway, self._channel, self._teller, self._alarm = gateway, channel, teller, alarm

    async def show(self) -> bool:
        """Show what is not answered for; tell whether nothing is left to show.

        Raises:
            Unreachable: No answer came.
            OSError: The disk does not take the answer; the voucher is shown again.
        """
        book = self._gateway.payer
        voucher = book.unheard if book is not None else None
        if voucher is None or voucher.channel != self._channel.id:
            return True  # of the channel before: the next cycle signs for this one
        answer = await asyncio.to_thread(self._teller.show, self._channel.payment(voucher))
        if answer.verdict not in PAID:
            self._alarm(f"the till does not take this gateway's voucher: {answer.verdict}")
            return False
        if answer.total > voucher.total:
            # An older memory came back with its disk, and catches up; or it was lost, and somebody has to know.
            self._alarm(f"the till holds a voucher of {answer.total}, this gateway remembers {voucher.total}")
        self._gateway.paid(voucher.total)
        return True

    async def run(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Show vouchers until cancelled, ever more patiently while the till is out of reach or takes none."""
        failed = 0
        while True:
            try:
                failed = 0 if await self.show() else failed + 1
            except Unreachable:
                failed += 1
            except OSError as error:
                self._alarm(f"the disk refuses: {error}")
                failed += 1
            except Exception as error:
                # Nobody waits for this task: one that ended would pay nothing ever again, and say nothing.
                self._alarm(f"the last voucher could not be shown: {error or type(error).__name__}")
                failed += 1
            await sleep(min(LONGEST_WAIT_S, LOOK_EVERY_S * 2.0 ** min(failed, 16)))
