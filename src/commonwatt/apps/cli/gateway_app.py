"""`commonwatt gateway`: the name under which the commands about a gateway stand."""

from commonwatt.apps.cli import lazily

app = lazily.group(
    "gateway",
    "Run a gateway, bring one into a community, keep it up to date.",
    {
        "init": "gatewaying:init",
        "run": "gatewaying:run",
        "show": "gatewaying:show",
        "register": "gatewaying:register",
        "claim": "gatewaying:claim",
        "update": "updating:update",
        "release": "updating:release",
    },
)
