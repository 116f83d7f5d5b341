"""Audit a community's chain: a copy of its log and the contracts of its deployment, held against each other."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from commonwatt.adapters.chains.contracts.artifact import artifact
from commonwatt.adapters.chains.deployment import Deployment
from commonwatt.adapters.chains.evm.chain import EvmChain
from commonwatt.adapters.stores.keyfile import load_secret, save_secret
from commonwatt.apps.chain_reaching import contracts_at
from commonwatt.apps.wiring import open_log
from commonwatt.flows.auditing.audit import Audit, Reached
from commonwatt.flows.auditing.ports import Contracts
from commonwatt.flows.crossing_proofs import point_of
from commonwatt.flows.evidence import CHAIN_FORMAT, EVIDENCE_FORMAT, Trust, read_trust
from commonwatt.flows.verify import Line, Report, verify_file
from commonwatt.ledger.checkpoint import read_note
from commonwatt.model import Commodity, Corrupt, Refused

_TOKENS = {Commodity.ERGON: "Ergon", Commodity.WATT: "Watt", Commodity.TSL: "Tsl"}
_Root = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class _Kept(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far an audit came, as it rests."""

    size: Annotated[int, Meta(ge=0)]
    content: bytes
    anchored: tuple[tuple[int, int, _Root, _Root], ...]


class _Noted(Struct, frozen=True):
    format: str
    note: str


def audit_folder(
    folder: Path,
    trust: str,
    place: str,
    *,
    resume: Path | None = None,
    on_progress: Callable[[int, int], None] = lambda done, whole: None,
    word: Callable[[str], None] = lambda line: None,
) -> Report:
    """Hold a folder's log against its chain, see `commonwatt.flows.auditing.audit`.

    Args:
        folder: With the log, its master key, and ``chain/deployment.json``.
        trust: The community's public keys, from a source that the reader trusts.
        place: A node's URL, or a folder with the embedded chain.
        resume: Where is kept how far it came; gone on from, where the file is there.
        on_progress: Told how many leaves were run, and of how many.
        word: Told how it goes on where a long chain is opened.

    Raises:
        Refused: There is no log or no chain, or what is gone on from is another log's.
        Corrupt: The trust file, the chain or what is gone on from is damaged.
        Unreachable: The chain gives no answer.
    """
    believed = read_trust(trust)
    with open_log(folder) as log, contracts_at(place, folder, word) as (chain, deployment, _):
        first = _contracts_line(chain, deployment, believed)
        if not first.ok:
            return Report(False, (first,))
        found = Audit(
            log,
            believed,
            chain,
            _contracts(deployment),
            whole_from=log.whole_from,
            before=None if resume is None else _read(resume),
            on_progress=on_progress,
            on_reached=lambda reached: None if resume is None else _keep(resume, reached),
        ).run()
    return Report(found.ok, (first, *found.lines))


def verify_anchored(content: bytes, trust: str, place: str, folder: Path | None = None) -> Report:
    """Check evidence as `verify_file` does, and that its checkpoint stands on the chain for good.

    Args:
        content: The evidence; of what accuses somebody the chain says nothing.
        trust: As in `audit_folder`.
        place: As in `audit_folder`.
        folder: With ``chain/deployment.json``, for a URL.

    Raises:
        Refused, Corrupt, Unreachable: As in `audit_folder`.
    """
    report = verify_file(content, trust)
    if not report.ok:
        return report
    told = msgspec.json.decode(content, type=_Noted)
    if told.format not in (EVIDENCE_FORMAT, CHAIN_FORMAT):
        raise Refused("what is anchored is evidence's checkpoint", format=told.format[:80])
    point = read_note(told.note)
    with contracts_at(place, folder) as (chain, deployment, _):
        lines = [*report.lines[:-1], _contracts_line(chain, deployment, read_trust(trust))]
        final = chain.final().number
        holds = lines[-1].ok and chain.call(
            deployment.contract("Checkpoints"), "is_final", (point_of(point),), block=final
        )
    said = f"checkpoint {point.size} stands" if holds else f"no such checkpoint of {point.size} leaves stands"
    lines.append(Line("anchored", bool(holds), f"{said} on chain {deployment.chain_id} in a final block"))
    return Report(all(line.ok for line in lines), (*lines, report.lines[-1]))


def _contracts(deployment: Deployment) -> Contracts:
    return Contracts(
        checkpoints=deployment.contract("Checkpoints"),
        vault=deployment.contract("Vault"),
        tokens={commodity: deployment.contract(name) for commodity, name in _TOKENS.items()},
        first_block=deployment.block + 1,
    )


def _contracts_line(chain: EvmChain, deployment: Deployment, trust: Trust) -> Line:
    """Tell whether what stands at the contracts' places is what this program ships, made for this log."""
    faults = [
        f"at {place} there is another contract than {name}"
        for name, place in deployment.contracts.items()
        if not artifact(name, deployment.fork).runs(chain.code(place))
    ]
    if not faults:
        origin = chain.call(deployment.contract("Checkpoints"), "origin")
        if origin != trust.community:
            faults.append(f"checkpoints there are those of {origin}, not of {trust.community}")
        asked = {"checkpoints": "Checkpoints", "ergon": "Ergon", "watt": "Watt", "tsl": "Tsl"}
        faults += [
            f"the Vault stands beside another {name}"
            for function, name in asked.items()
            if chain.call(deployment.contract("Vault"), function) != deployment.contracts[name]
        ]
    well = f"{len(deployment.contracts)} contracts on chain {deployment.chain_id} are those that are published"
    return Line("contracts", not faults, "; ".join(faults) or well)


def _read(path: Path) -> Reached | None:
    if not path.exists():
        return None
    try:
        told = msgspec.msgpack.decode(load_secret(path), type=_Kept)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Corrupt(f"{path} does not tell how far an audit came: {error}") from error
    return Reached(size=told.size, content=told.content, anchored=told.anchored)


def _keep(path: Path, reached: Reached) -> None:
    told = _Kept(size=reached.size, content=reached.content, anchored=reached.anchored)
    save_secret(path, msgspec.msgpack.encode(told))
