"""`commonwatt consent`: say how assets may be scheduled, switch them off, and decide what waits."""

from pathlib import Path
from typing import Annotated

import typer

from commonwatt.apps import consenting
from commonwatt.apps.cli.screen import as_json
from commonwatt.model import Consent, ConsentMode


def consent(
    folder: Annotated[Path, typer.Argument(help="A community's folder, with the member's key.", exists=True)],
    member: Annotated[str, typer.Argument(help="Whose key signs, as its file in keys/, for example member-03.")],
    asset: Annotated[str | None, typer.Argument(help="About which asset; all of the member's if left out.")] = None,
    mode: Annotated[ConsentMode | None, typer.Option(help="What holds from the next request on.")] = None,
    least_percent: Annotated[int | None, typer.Option(help="Within: never give away below this level.")] = None,
    most_supply_w: Annotated[int | None, typer.Option(help="Within: supply so much at most; 0 for none.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="Within: only from this local time, like 22:00,")] = None,
    to: Annotated[str | None, typer.Option(help="to this one; it may be the next day.")] = None,
    decide_minutes: Annotated[int | None, typer.Option(help="Ask: so long before the first instruction.")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Say yes to the schedule that waits.")] = False,
    decline: Annotated[bool, typer.Option("--decline", help="Say no to it.")] = False,
    host: Annotated[str, typer.Option(help="Where the door is, see accept.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Likewise.", min=1, max=65_535)] = 7420,
    json: Annotated[bool, typer.Option("--json", help="Print what holds, or what became of it, as JSON.")] = False,
) -> None:
    """Sign how a member's assets may be scheduled, or decide about a schedule, and send it through the open door.

    With neither a mode nor a decision, show what holds and what waits, as far as the folder's log tells.
    """
    given = (least_percent, most_supply_w, from_, to, decide_minutes)
    if (mode is not None) + accept + decline > 1 or (mode is None and any(one is not None for one in given)):
        raise typer.BadParameter("say one of --mode with its limits, --accept and --decline")
    if (from_ is None) != (to is None):
        raise typer.BadParameter("hours have a --from and a --to")
    if mode is not None:
        hours = None if from_ is None or to is None else (consenting.minute(from_), consenting.minute(to))
        said = Consent(
            mode=mode,
            least_percent=least_percent,
            most_supply_w=most_supply_w,
            hours=hours,
            decide_s=None if decide_minutes is None else 60 * decide_minutes,
        )
        done = consenting.agree(folder, member, asset, said, host, port)
        words = f"{asset or 'all of it'}: {consenting.in_words(said)}, from the next request on"
        typer.echo(as_json(done) if json else f"{done.account} agrees, {words}")
    elif accept or decline:
        if asset is None:
            raise typer.BadParameter("say which asset's schedule is decided")
        done = consenting.decide(folder, member, asset, accept=accept, host=host, port=port)
        typer.echo(
            as_json(done) if json else f"{done.account} {'accepts' if accept else 'declines'} what {asset} is to do"
        )
    else:
        found = [one for one in consenting.standing(folder, member) if asset in (None, one.asset)]
        typer.echo(
            as_json(found) if json else "\n".join(map(_line, found)) or f"{member} has no such asset that stores"
        )


def _line(one: consenting.Standing) -> str:
    words, proposal = f"{one.asset}: {consenting.in_words(one.consent)}", one.proposal
    if proposal is None:
        return words
    if proposal.accepted is None:
        return f"{words}; a schedule waits until {one.deadline}"
    return f"{words}; the last schedule was {'accepted' if proposal.accepted else 'declined'}"
