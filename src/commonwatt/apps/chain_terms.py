"""What a community's `chain.toml` says: on which chain its checkpoints are anchored, and by which rules."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.identity.signing_in.wallet import read_address
from commonwatt.model import InvalidValue

FILE, FOLDER = "chain.toml", "chain"
RPC_CARD = "rpc.json"
"""Beside the embedded chain: where it is shown to wallets, while somebody has it open and shows it."""
RPC_PORT = 8545
"""Where wallets look for a chain on their own machine."""
_DAY_S = 86_400
_OWN = """# The chain inside of the app, see the guide to the chain.
[chain]
kind = "embedded"
"""
_Address = Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{40}\Z")]
_Lasting = Annotated[int, Meta(ge=1, le=365 * _DAY_S)]


class ChainTerms(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What ``[chain]`` says.

    Args:
        kind: ``embedded`` runs inside of the app, in the community's folder; ``network`` is asked by ``url``.
        url: Of a node's JSON-RPC.
        fork: Rules of the EVM that the network has; the embedded chain has those of Cancun.
        port: Where wallets on this machine find the embedded chain; 0 for any free one, none where it is left out.
        delay_s: Between the announcement of a role and its use. A second on the embedded chain, whose one writer is the
            operator: there a delay protects nobody. Two days elsewhere.
        unbonding_s: How long a stake can be slashed after it counts no more.
        exit_after_s: How long no checkpoint comes before everybody may take their own; two pauses at least.
        reward_micro: TSL for the signers of one checkpoint, out of the pool.
        proposer, guardian, treasury: Addresses: who announces roles, who can pause what enters, and who is given all
            TSL at first. The operator's key ``chain`` is whoever is left out; on a network they are three.
        ceiling_micro: ERGON that the operator's seller may mint in a day.
        stake_micro: TSL that each witness is given to stake, and has to stake at least.
        every_s: Between two looks.
    """

    kind: Literal["embedded", "network"] = "embedded"
    url: Annotated[str, Meta(pattern=r"^https?://[^\s]+\Z", max_length=1_000)] | None = None
    fork: Literal["cancun", "shanghai"] = "cancun"
    port: Annotated[int, Meta(ge=0, le=65_535)] | None = None
    delay_s: _Lasting | None = None
    unbonding_s: _Lasting = 14 * _DAY_S
    exit_after_s: Annotated[int, Meta(ge=14 * _DAY_S, le=365 * _DAY_S)] = 14 * _DAY_S
    reward_micro: Annotated[int, Meta(ge=0, le=10**15)] = 1_000_000
    stake_micro: Annotated[int, Meta(ge=1, le=10**15)] = 1_000_000_000
    proposer: _Address | None = None
    guardian: _Address | None = None
    treasury: _Address | None = None
    ceiling_micro: Annotated[int, Meta(ge=1, le=10**15)] = 100_000_000_000
    every_s: Annotated[float, Meta(ge=0.05, le=3_600)] = 1.0

    def __post_init__(self) -> None:
        if (self.kind == "network") != (self.url is not None):
            raise ValueError("a network is asked by its url, and the embedded chain has none")
        if self.kind == "embedded" and self.fork != "cancun":
            raise ValueError("the embedded chain has the rules of cancun")
        if self.kind == "network" and self.port is not None:
            raise ValueError("a network has its own port: only the embedded chain is shown to wallets here")
        for told in (self.proposer, self.guardian, self.treasury):
            if told is not None:
                read_address(told)

    @property
    def roles_after_s(self) -> int:
        """What `delay_s` says, or what it is where it says nothing."""
        if self.delay_s is not None:
            return self.delay_s
        return 1 if self.kind == "embedded" else 2 * _DAY_S


class _File(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    chain: ChainTerms


def chain_terms(folder: Path) -> ChainTerms | None:
    """Return what a community's folder says of its chain; None where it has none.

    Raises:
        InvalidValue: The file is no TOML, or says no such thing; says which field.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File).chain
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise InvalidValue(f"{path} does not say which chain a community has: {error}") from error


def want_embedded(folder: Path, port: int | None = None) -> None:
    """Have a folder say that its chain is the embedded one, unless it says something already.

    Args:
        folder: The community's.
        port: Where wallets find it; see `ChainTerms`.
    """
    if not (folder / FILE).exists():
        save_secret(folder / FILE, (_OWN + (f"port = {port}\n" if port is not None else "")).encode())
