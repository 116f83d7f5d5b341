"""`commonwatt gateway`: the name under which the commands about a gateway stand, each file adding its own."""

import typer

app = typer.Typer(name="gateway", help="Run a gateway, keep it up to date, sign what it may run.", no_args_is_help=True)
