"""`commonwatt app` and `demo`: open a community's app, API and pages; of a street that lives on, too."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from commonwatt.apps.cli.screen import screen


def app(
    folder: Annotated[Path, typer.Argument(help="The community's folder, with its log.", exists=True, file_okay=False)],
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Likewise; 0 for any free one.", min=0, max=65_535)] = 8443,
    name: Annotated[list[str] | None, typer.Option(help="Host name under which people reach it; repeat.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Without TLS: behind somebody else's, or here alone.")] = False,
    rehearsal: Annotated[
        bool, typer.Option("--rehearsal", help="Let anybody take any seat; of a simulated community on this machine.")
    ] = False,
    window: Annotated[bool, typer.Option("--window", help="Show it in a window of its own, too.")] = False,
    currency: Annotated[str, typer.Option(help="What one ERGON is worth one of, ISO 4217.")] = "GBP",
    asks: Annotated[
        float, typer.Option(help="Asks a second, lastingly, by a person and by each of their tokens.", min=1)
    ] = 20,
    public_asks: Annotated[float, typer.Option(help="Likewise by an address where nobody is signed in.", min=1)] = 10,
    log: Annotated[
        Literal["text", "json"],
        typer.Option(help="How events are written to standard error; json tells every ask, too."),
    ] = "text",
    metrics: Annotated[
        int | None, typer.Option(help="Show metrics at this port on loopback; 0 for any free one.", min=0, max=65_535)
    ] = None,
    traces: Annotated[str, typer.Option(help="Send traces to this OTLP collector: http://HOST:4318.")] = "",
) -> None:
    """Open a community's app until it is interrupted.

    It follows the folder's log, which `accept` or `run --live` may write meanwhile, and asks for things through their
    open door. On first run it makes certificates of its own in the folder's tls/.
    """
    # Here, and not above: pages take a second to load, and every other command would wait for them.
    from commonwatt.apps.api.limits import Limits  # noqa: PLC0415
    from commonwatt.apps.observing.events import Form  # noqa: PLC0415
    from commonwatt.apps.observing.watch import Wanted  # noqa: PLC0415
    from commonwatt.apps.opening import Opened, Way, open_app  # noqa: PLC0415
    from commonwatt.apps.web.window import open_window  # noqa: PLC0415

    console = screen()

    def on_open(opened: Opened) -> None:
        console.print(f"open at {opened.url}", highlight=False, soft_wrap=True)
        if opened.authority is not None:
            console.print(f"to be trusted by browsers: {opened.authority}", highlight=False, soft_wrap=True)
        if opened.metrics:
            console.print(f"metrics at {opened.metrics}", highlight=False, soft_wrap=True)
        if window:
            open_window(opened.url, folder / "window")

    way = Way(
        host=host,
        port=port,
        names=tuple(name or ()),
        plain=plain,
        rehearsal=rehearsal,
        currency=currency.upper(),
        limits=Limits(known_per_s=asks, unknown_per_s=public_asks),
        wanted=Wanted(events=Form(log), metrics=metrics, traces=traces),
    )
    open_app(folder, way, on_open)


def demo(
    street: Annotated[Path, typer.Argument(help="Folder with street.toml and its data.", exists=True, file_okay=False)],
    output: Annotated[Path | None, typer.Option(help="Folder for the run; default runs/<street>/demo.")] = None,
    port: Annotated[int, typer.Option(help="Of the app; 0 for any free one.", min=0, max=65_535)] = 8080,
    pace: Annotated[float, typer.Option(help="Seconds that a quarter-hour lasts.", min=0.001, max=900)] = 10,
    homes: Annotated[int | None, typer.Option(help="Another number of homes, on paper; see run --live.", min=1)] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw an earlier run in that folder away first.")] = False,
    window: Annotated[bool, typer.Option("--window", help="Show it in a window of its own, too.")] = False,
) -> None:
    """Let a recorded street live on, and open its app on it: sit down as any member, or in any role.

    A rehearsal: its keys follow from a published seed, so anybody on this machine may take any seat, without TLS.
    """
    from commonwatt.apps.demo import demonstrate  # noqa: PLC0415  as above
    from commonwatt.apps.opening import Opened, Way  # noqa: PLC0415
    from commonwatt.apps.web.window import open_window  # noqa: PLC0415

    console = screen()
    folder = output or Path("runs") / street.name / "demo"
    words = ["--pace", f"{pace:g}"]
    # What is learnt of a large street takes longer than its quarter-hours last.
    words += ["--homes", str(homes)] if homes is not None else ["--forecast", "chosen"]
    words += ["--fresh"] if fresh else []

    def on_open(opened: Opened) -> None:
        console.print(f"\nthe street lives, a quarter-hour every {pace:g} s; its app is open at [bold]{opened.url}[/]")
        console.print("you sit there as a member; the seat is changed in its settings. Ctrl-C ends both.")
        if window:
            open_window(opened.url, folder / "window")

    console.print("the street comes alive ...", highlight=False)
    demonstrate(street, folder, Way(port=port, plain=True, rehearsal=True), words, on_open)
