"""`commonwatt wallet`: the group of the commands about money and tokens, and about keys of one's own."""

from commonwatt.apps.cli import lazily

app = lazily.group(
    "wallet",
    "See what is held, what came and went; send; on the ledger, or with keys of your own on its chain.",
    {
        "balances": "wallets:balances",
        "history": "wallets:history",
        "send": "wallets:send",
        "approve": "wallet_chain:approve",
        "exit": "wallets:exit_",
        "entries": "wallets:entries",
        "list": "wallet_keys:list_",
        "address": "wallet_keys:address",
        "create": "wallet_keys:create",
        "import": "wallet_keys:import_",
        "export": "wallet_keys:export",
    },
)
