"""Who signed what is anchored, and whether that was two thirds by number and stake: counted again, not asked for.

The contract has counted all of this. Where somebody else runs the node, or the chain is the operator's own, that is
their word; stakes and signatures are told by the blocks themselves, and are weighed here.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from commonwatt.flows.auditing.ports import AuditedChain
from commonwatt.flows.chain_ports import Account, Contract, Event
from commonwatt.identity.eip712 import checkpoint_digest, compact_signer

_STAKES = ("Admitted", "Bonded", "Unbonding", "Slashed", "Anchored")


def signing_faults(
    chain: AuditedChain,
    checkpoints: Contract,
    origin: str,
    registered: Sequence[Account],
    first: int,
    last: int,
    *,
    after: int = 0,
) -> dict[int, str]:
    """Return what is wrong with the signatures of anchored checkpoints, by size; nothing where all is well.

    Args:
        chain: Where they are.
        checkpoints: The contract.
        origin: The log's name.
        registered: Who may sign, as the log says; whoever has a stake where it names nobody.
        first: The first block of the contract.
        last: The last block that is looked at.
        after: Checkpoints up to this size were weighed before.

    Raises:
        Unreachable: The chain gives no answer.
    """
    events = [event for name in _STAKES for event in chain.events(checkpoints, name, first, last)]
    admitted, bonded, faults = set[Account](), dict[Account, int](), dict[int, str]()
    for event in sorted(events, key=lambda one: (one.block, one.index)):
        who = str(event.values.get("witness"))
        if event.name == "Admitted" and event.values["allowed"]:
            admitted.add(who)
        elif event.name == "Bonded":
            bonded[who] = bonded.get(who, 0) + event.values["amount"]
        elif event.name != "Anchored":
            # Who was let go, leaves or lost its stake counts no more.
            bonded.pop(who, None)
            admitted.discard(who)
        elif event.values["size"] <= after:
            continue
        elif fault := _fault(chain, checkpoints, origin, registered, admitted, bonded, event):
            faults[event.values["size"]] = fault
    return faults


def _fault(
    chain: AuditedChain,
    checkpoints: Contract,
    origin: str,
    registered: Sequence[Account],
    admitted: Collection[Account],
    bonded: Mapping[Account, int],
    event: Event,
) -> str:
    told = chain.told(checkpoints, "anchor", event.tx)
    if told is None:
        return f"its signatures are not in its transaction 0x{event.tx.hex()}, which went by way of another contract"
    signers = [*_signers(origin, event.values, told[1])]
    strangers = [who or "nobody" for who in signers if who not in bonded]
    if strangers:
        return f"it counts a signature of {strangers[0]}, who had nothing at stake"
    unknown = [who for who in signers if registered and who not in registered]
    if unknown:
        return f"it counts a signature of {unknown[0]}, who is no witness of this log"
    if len(set(signers)) < len(signers):
        return "it counts a signature twice"
    weight, whole = sum(bonded[who] for who in signers if who), sum(bonded.values())
    if not weight or 3 * weight < 2 * whole:
        return f"{weight} of {whole} micro TSL at stake signed it, less than two thirds"
    if 3 * len(signers) < 2 * len(admitted):
        return f"{len(signers)} of {len(admitted)} witnesses signed it, less than two thirds"
    return ""


def _signers(origin: str, values: Mapping[str, Any], signatures: Sequence[tuple[int, int]]) -> Iterator[Account | None]:
    digest = checkpoint_digest(origin, values["epoch"], values["size"], values["log_root"], values["state_root"])
    yield from (compact_signer(digest, r, vs) for r, vs in signatures)
