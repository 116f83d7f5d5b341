"""What may stand in the body of a transfer that goes out to the chain or comes from it; see `bodies` for all others."""

import re
from typing import Annotated

from msgspec import Meta, Struct

from commonwatt.model import MAX_SAFE_INTEGER, Commodity

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""What an account here can be called."""
_Count = Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]


class _Body(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, gc=False):
    pass


class SendOut(_Body, frozen=True, tag_field="what", tag="send out"):
    """Tokens of the ledger for an address of the chain, which takes them out of the Vault once the books are final.

    ``address`` is in lower case, or has the checksum of EIP-55.
    """

    commodity: Commodity
    amount: Annotated[int, Meta(gt=0, le=10**15)]
    address: Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{40}\Z")]


class ExitTo(_Body, frozen=True, tag_field="what", tag="exit to"):
    """Where on the chain an account's own goes if the operator stops; ``address`` as in `SendOut`.

    It stands until another is named, whatever keys are registered later.
    """

    address: Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{40}\Z")]


class Deposited(_Body, frozen=True, tag_field="what", tag="deposited"):
    """What the Vault took in, in a block that is final.

    Args:
        number: The Vault's own count of deposits, from 0 without gaps: each counts once.
        tx: The transaction.
        block: The block's number.
        sender: Who paid it in, in lower case; what cannot be credited goes back there, out of the Vault.
        account: Whom it is for; empty where the chain names what no account here is called.
        commodity: What it was.
        amount: Whole base units.
    """

    number: _Count
    tx: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    block: _Count
    sender: Annotated[str, Meta(pattern=r"^0x[0-9a-f]{40}\Z")]
    account: Annotated[str, Meta(pattern=rf"^({NAME.pattern})?\Z")]
    commodity: Commodity
    amount: Annotated[int, Meta(gt=0, le=MAX_SAFE_INTEGER)]


CrossingBody = SendOut | ExitTo | Deposited
