"""`commonwatt run --live`: a recorded street lives on at a pace, with its door open."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import typer

from commonwatt.apps.cli.screen import screen
from commonwatt.apps.door_card import DoorCard
from commonwatt.apps.living import Living, Manner, Onlooker, Told
from commonwatt.apps.scenes import Scene
from commonwatt.model import SLOT_SECONDS, Refused, instant


def options(pace: float | None, port: int | None, *, on_paper: bool) -> Manner:
    """Return how a live street lives, with defaults for what was not said.

    Raises:
        Refused: A quarter-hour is to last no time, or longer than it does.
    """
    usual = Manner()
    if pace is not None and not 0.001 <= pace <= SLOT_SECONDS:
        raise Refused("a quarter-hour lasts from a thousandth of a second to 900 s", found_s=pace)
    slot_ms = usual.slot_ms if pace is None else round(1_000 * pace)
    return Manner(slot_ms=slot_ms, port=usual.port if port is None else port, on_paper=on_paper)


def live(stage: Scene, output: Path | None, manner: Manner, *, fresh: bool, json: bool) -> None:
    """Let a street live on until it is interrupted; see `commonwatt.apps.cli.running.run` for what is asked."""
    folder = output or Path("runs") / stage.street.community / "live"
    console = screen(quiet=json)
    clock = stage.street.clock

    def on_open(card: DoorCard) -> None:
        pace = f"a quarter-hour lasts {manner.slot_ms / 1000:g} s"
        where = f"{card.community}: {len(stage.street.home)} homes, {pace}; taking requests on {card.host}:{card.port}"
        console.print(f"{where}\nfolder {folder}; Ctrl-C ends it, the same command goes on", highlight=False)

    def on_slot(slot: Told) -> None:
        if json:
            typer.echo(msgspec.json.encode(slot).decode())
            return
        feeder = "-" if slot.feeder_w is None else f"{slot.feeder_w / 1000:6.1f} kW"
        when = f"{instant(slot.slot_s).astimezone(clock):%Y-%m-%d %H:%M}"
        console.print(f"{when}  feeder {feeder}  {slot.leaves} leaves  planned in {slot.plan_ms} ms", highlight=False)

    def on_word(word: str) -> None:
        console.print(word, markup=False, highlight=False, soft_wrap=True)

    Living(stage, folder, manner, _ms(time.monotonic_ns), _ms(time.time_ns), Onlooker(on_open, on_slot, on_word)).run(
        fresh=fresh
    )


def _ms(now_ns: Callable[[], int]) -> Callable[[], int]:
    return lambda: now_ns() // 1_000_000
