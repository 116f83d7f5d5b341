"""`commonwatt channel`: the group of the commands about payment channels, of who pays and of who is paid."""

from commonwatt.apps.cli import lazily

app = lazily.group(
    "channel",
    "Pay many times by two transactions: deposit once, sign vouchers, and let the payee close.",
    {
        "open": "channels:open_",
        "add": "channels:add",
        "pay": "channels:pay",
        "status": "channels:status",
        "withdraw": "channels:withdraw",
        "finish": "channels:finish",
        "held": "channels_held:held",
        "claim": "channels_held:claim",
        "close": "channels_held:close",
        "watch": "channels_held:watch",
    },
)
