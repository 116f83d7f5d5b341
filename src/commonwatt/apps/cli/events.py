"""`commonwatt event`: a DEMAND called and taken back, what was delivered under contract, and what a call would do."""

from typing import TYPE_CHECKING, Annotated

import typer

from commonwatt.apps.cli import planning
from commonwatt.apps.cli.reaching import Json, reaches, show
from commonwatt.apps.cli.screen import as_json, ergon, when
from commonwatt.apps.demanding import seconds_of
from commonwatt.model import Refused

if TYPE_CHECKING:
    from commonwatt.apps.reaching import Reached

app = typer.Typer(help="Call upon what a community can give, and see what it gave.", no_args_is_help=True)


@app.command("list")
@reaches
def list_(here: "Reached", json: Json = False) -> None:
    """List the DEMANDs that are broadcast and not over."""
    found = here.client.events.demands()
    rows = [(one.id, when(one.start_s), when(one.end_s), one.power_w) for one in found]
    show(found, ("event", "from (UTC)", "to", "W a connection"), rows, json=json, none="nothing is demanded")


@app.command("call")
@reaches
def call(
    here: "Reached",
    minutes: Annotated[int, typer.Argument(help="For how long.", min=1, max=1_440)],
    start: Annotated[str, typer.Option(help="When it begins, such as 2026-06-01T18:00Z; else now.")] = "",
    power_w: Annotated[int | None, typer.Option(help="Of each connection, W; else all it can.", min=1)] = None,
    json: Json = False,
) -> None:
    """Broadcast a DEMAND; the open door tells it to every gateway, and each follows its owner's rules."""
    from commonwatt.apps.api.v1.events import DemandWanted  # noqa: PLC0415  it takes a second to load

    start_s = seconds_of(start) if start else None
    done = here.client.events.call(DemandWanted(lasts_s=60 * minutes, power_w=power_w, start_s=start_s))
    typer.echo(as_json(done) if json else f"{done.id} until {when(done.end_s)} UTC")


@app.command("end")
@reaches
def end(
    here: "Reached", name: Annotated[str, typer.Argument(help="Of the event, see list.")], json: Json = False
) -> None:
    """Take a DEMAND back."""
    here.client.events.retract(name)
    typer.echo(as_json({"ended": name}) if json else f"{name} is taken back")


@app.command("responses")
@reaches
def responses(
    here: "Reached",
    account: Annotated[str, typer.Argument(help="Who pays for the contracts.")],
    json: Json = False,
) -> None:
    """List the windows that stand by under an account's own offers, to be called with respond."""
    found = here.client.contracts.standing_by(account)
    rows = [
        (one.offer, one.zone or "all", one.direction, when(one.start_s), when(one.end_s), one.contracts, one.promised_w)
        for one in found
    ]
    columns = ("offer", "zone", "asks to", "window from (UTC)", "to", "contracts", "promised W")
    show(found, columns, rows, json=json, none="nothing stands by")


@app.command("respond")
@reaches
def respond(
    here: "Reached",
    account: Annotated[str, typer.Argument(help="Who pays for the contracts.")],
    offer: Annotated[str, typer.Argument(help="Which of its offers, see responses.")],
    minutes: Annotated[int, typer.Argument(help="For how long.", min=15, max=1_440)],
    start: Annotated[str, typer.Option(help="When it begins, such as 2026-06-01T18:00Z; else as soon as it can.")] = "",
    json: Json = False,
) -> None:
    """Call a demand response under contract; event show tells what was delivered, and the proof page why."""
    from commonwatt.apps.api.v1.contracts import ResponseWanted  # noqa: PLC0415  it takes a second to load

    start_s = seconds_of(start) if start else None
    done = here.client.contracts.call_response(account, offer, ResponseWanted(lasts_s=60 * minutes, start_s=start_s))
    typer.echo(as_json(done) if json else f"offer {offer} is called: {done.outcome.value} at {done.position}")


@app.command("show")
@reaches
def show_(
    here: "Reached",
    offer: Annotated[str | None, typer.Argument(help="Of which offer; all that one may see if left out.")] = None,
    json: Json = False,
) -> None:
    """Show what was promised, delivered and paid under contract, window by window, in sums of three homes or more."""
    found = [one for one in here.client.commons.under_contract() if offer in (None, one.offer)]
    if offer is not None and not found:
        raise Refused("there is such an offer", named=offer)
    rows = [
        (
            one.offer,
            when(at.start_s),
            at.direction,
            at.promised_wh,
            at.delivered_wh,
            ergon(at.due_micro),
            ergon(at.paid_micro),
        )
        for one in found
        for at in one.windows
    ]
    columns = ("offer", "window (UTC)", "asks to", "promised Wh", "delivered Wh", "due ERGON", "paid ERGON")
    show(found, columns, rows, json=json, none="no flexibility is under contract")


app.command("foresee", context_settings={"ignore_unknown_options": True})(planning.foresee)
