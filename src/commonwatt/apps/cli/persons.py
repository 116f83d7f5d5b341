"""`commonwatt person`: who may sign in to a community, as what, and the trail of what happened at its entrance."""

from pathlib import Path
from typing import Annotated

import typer

from commonwatt.apps import persons
from commonwatt.apps.cli.screen import as_json
from commonwatt.flows.entrance.records import Person
from commonwatt.identity.seat import Role
from commonwatt.model import instant

app = typer.Typer(help="Who may sign in, as what, and what happened at the entrance.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="The community's folder.", exists=True, file_okay=False)]
Name = Annotated[str, typer.Argument(help="Under which they sign in.")]
Account = Annotated[str | None, typer.Option(help="For which account, for example member-03.")]
Zones = Annotated[list[str] | None, typer.Option("--zone", help="About which zone; repeat for more, none for all.")]
Json = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


@app.command("add")
def add(
    folder: Folder,
    name: Name,
    role: Annotated[Role, typer.Option(help="As what.")],
    account: Account = None,
    zone: Zones = None,
    address: Annotated[str, typer.Option(help="E-mail address, where they are told of what happens.")] = "",
    json: Json = False,
) -> None:
    """Add a person, and print the code with which they sign in once, to set up a lasting way in."""
    done = persons.add(folder, name, role, account, zone or [], address)
    told = {"name": done.person.name, "code": done.code}
    typer.echo(as_json(told) if json else f"{done.person.name} signs in first with the printed code\n{done.code}")


@app.command("invite")
def invite(
    folder: Folder,
    role: Annotated[Role, typer.Option(help="As what.")],
    account: Account = None,
    zone: Zones = None,
    at: Annotated[str, typer.Option(help="Where people reach the app.")] = persons.ORIGIN,
    json: Json = False,
) -> None:
    """Print a link by which somebody joins, good once and for a week."""
    link = persons.invite(folder, role, account, zone or [], at)
    typer.echo(as_json({"link": link}) if json else link)


@app.command("list")
def list_(folder: Folder, json: Json = False) -> None:
    """Show who is known, with their roles."""
    found = persons.people(folder)
    if json:
        typer.echo(as_json([_told(one) for one in found]))
        return
    typer.echo("\n".join(map(_line, found)) or "nobody is known yet")


@app.command("role")
def role(
    folder: Folder,
    name: Name,
    give: Annotated[Role | None, typer.Option(help="Give this role.")] = None,
    account: Account = None,
    zone: Zones = None,
    end: Annotated[int | None, typer.Option(help="End the role of this number, see list.", min=0)] = None,
    json: Json = False,
) -> None:
    """Give somebody a role, or end one; in no account that is somebody's."""
    if (give is None) == (end is None):
        raise typer.BadParameter("say either --give ROLE or --end NUMBER")
    if give is not None:
        found = persons.give(folder, name, give, account, zone or [])
    else:
        assert end is not None
        found = persons.end(folder, name, end)
    typer.echo(as_json(_told(found)) if json else _line(found))


@app.command("reset")
def reset(folder: Folder, name: Name, json: Json = False) -> None:
    """Begin the recovery of somebody who lost every way in: it takes a week, a second person, and no word from them."""
    begun, secret = persons.reset(folder, name)
    if json:
        typer.echo(as_json({"id": begun.id, "ripe_s": begun.ripe_s, "secret": secret}))
        return
    typer.echo(
        f"Hand this to {name} in person, it opens nothing yet:\n{secret}\n"
        f"From {instant(begun.ripe_s):%d %B %Y %H:%M} UTC on it does, if a guardian of theirs, or else an auditor\n"
        f"agreed meanwhile (recovery {begun.id}), and they said no nowhere."
    )


@app.command("letters")
def letters(
    folder: Folder,
    at: Annotated[str, typer.Option(help="Where people reach the app.")] = persons.ORIGIN,
    look: Annotated[bool, typer.Option("--look", help="Only show them: they wait on.")] = False,
    json: Json = False,
) -> None:
    """Print the letters that wait, where no mail server takes them, and count them as sent: send each by hand.

    A recovery waits for its letters. What is printed here stands in the trail.
    """
    found = persons.letters(folder, at, keep=look)
    if json:
        typer.echo(as_json([{"to": one.to, "subject": one.subject, "text": one.text} for one in found]))
        return
    lines = [f"To: {one.to}\nSubject: {one.subject}\n\n{one.text}" for one in found]
    typer.echo("\n".join(lines) or "no letter waits")


@app.command("sessions")
def sessions(
    folder: Folder,
    name: Name,
    end: Annotated[bool, typer.Option("--end", help="Sign them out everywhere, and end their tokens.")] = False,
    json: Json = False,
) -> None:
    """Show where somebody is signed in."""
    found = persons.sessions(folder, name, end=end)
    if json:
        plain = [{"id": one.id, "device": one.device, "way": one.way, "seen_s": one.seen_s} for one in found]
        typer.echo(as_json(plain))
        return
    lines = [f"{one.id}  {instant(one.seen_s):%d %b %Y %H:%M}  {one.way.value:12} {one.device}" for one in found]
    typer.echo("\n".join(lines) or f"{name} is signed in nowhere")


@app.command("trail")
def trail(
    folder: Folder,
    tie: Annotated[bool, typer.Option("--tie", help="Put its head into the log, through the open door.")] = False,
    host: Annotated[str, typer.Option(help="Where the door is, see accept.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Likewise.", min=1, max=65_535)] = 7420,
    json: Json = False,
) -> None:
    """Show what happened at the entrance, and check that nothing was changed, dropped or slipped in.

    Exit code 1: something was, and this names the event.
    """
    if tie:
        number = persons.tie(folder, host, port)
        typer.echo("the log knows all of it" if number is None else f"the log knows up to event {number}", err=True)
    found = persons.look_at_trail(folder)
    if json:
        plain = [
            {"number": e.number, "at_s": e.at_s, "what": e.what, "hash": e.hash, "tells": t} for e, t in found.events
        ]
        typer.echo(as_json({"events": plain, "heads": {str(number): head for number, head in found.heads.items()}}))
        return
    for event, told in found.events:
        tells = "erased" if told is None else "  ".join(f"{name} {value}" for name, value in sorted(told.items()))
        mark = "*" if event.number in found.heads else " "
        typer.echo(f"{event.number:6}{mark} {instant(event.at_s):%d %b %Y %H:%M:%S}  {event.what.value:20} {tells}")
    known = max(found.heads, default=0)
    typer.echo(f"{len(found.events)} events, whose chain holds; the log knows them up to event {known}")


def _told(person: Person) -> dict[str, object]:
    return {"name": person.name, "made_s": person.made_s, "places": person.places}


def _line(person: Person) -> str:
    places = (
        f"{number}: {place.role.value} {place.account or ''} {' '.join(place.zones)}".strip()
        + (" (ended)" if place.ended_s is not None else "")
        for number, place in enumerate(person.places)
    )
    return f"{person.name:20} {'; '.join(places) or 'no role'}"
