"""`commonwatt gateway`: the name under which the commands about a gateway stand, each file adding its own."""

import typer

app = typer.Typer(
    name="gateway", help="Run a gateway, bring one into a community, keep it up to date.", no_args_is_help=True
)
