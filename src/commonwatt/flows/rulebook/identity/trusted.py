"""Whom a community trusts with what: delegates, professionals, what these attest of assets, and who may inspect."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from commonwatt.identity.credentials import EngineeringSpecification
from commonwatt.model import AccountId, Asset, AssetId, KeyId


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """What an owner lets one key do, see `trust_bodies.Grant`.

    Args:
        position: Where it stands in the log.
        kinds: Kinds of request, and perhaps ``inspect``.
        until_s: From when on it holds no more.
        assets: To which it is narrowed; None where to none.
    """

    position: int
    kinds: tuple[str, ...]
    until_s: int
    assets: tuple[AssetId, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """A credential that was believed: its name, who issued it, where it stands, its dates, whether it was revoked."""

    name: str
    issuer: KeyId
    position: int
    since_s: int
    until_s: int
    revoked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Professional:
    """Somebody of whom the operator says that they may attest; ``p256`` is their key for ES256, in hex, if any."""

    role: str
    qualification: Attestation
    p256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """What is attested of one asset, the newest of each kind.

    Args:
        claimed: The asset as its owner registered it; the state's own asset is this, narrowed by ``limits``.
        specification: The engineer's word, with ``limits``.
        inspection: The inspector's word; ``passed`` is its result.
        registration: The installer's word.
    """

    claimed: Asset
    specification: Attestation | None = None
    limits: EngineeringSpecification | None = None
    inspection: Attestation | None = None
    passed: bool = False
    registration: Attestation | None = None

    @property
    def suspended(self) -> bool:
        """Tell whether nothing may be planned: its last inspection failed, or one of two words was taken back."""
        failed = self.inspection is not None and (self.inspection.revoked or not self.passed)
        return failed or (self.specification is not None and self.specification.revoked)


@dataclass(slots=True)
class Trusted:
    """All of it for one community.

    Args:
        delegations: What each account lets whom do.
        professionals: Who may attest.
        attested: What is attested of each asset.
        inspectors: Whom the law lets read about an asset, and until when.
        trail: How far the trail of the entrance goes, and the hash of its last event; None before it is first told.
    """

    delegations: dict[AccountId, dict[KeyId, Delegation]] = field(default_factory=dict)
    professionals: dict[KeyId, Professional] = field(default_factory=dict)
    attested: dict[AssetId, Attested] = field(default_factory=dict)
    inspectors: dict[AssetId, dict[KeyId, int]] = field(default_factory=dict)
    trail: tuple[int, str] | None = None

    def suspended(self, asset: AssetId) -> bool:
        """Tell whether no schedule may be in force for an asset, whatever its owner consents to."""
        known = self.attested.get(asset)
        return known is not None and known.suspended

    def qualification(self, key: KeyId, role: str, at_s: int) -> Attestation | None:
        """Return the operator's word that a key's holder is a professional of a role, where it holds at an instant."""
        known = self.professionals.get(key)
        if known is None or known.role != role or known.qualification.revoked:
            return None
        word = known.qualification
        return word if word.since_s <= at_s < word.until_s else None

    def leaves(self) -> Iterator[dict[str, object]]:
        """Yield everything that decides what may happen next, in one order whatever the way that led to it."""
        for account in sorted(self.delegations):
            for key, delegation in sorted(self.delegations[account].items()):
                yield {"account": account, "delegate": key, "delegation": delegation}
        yield from ({"key": key, "professional": known} for key, known in sorted(self.professionals.items()))
        yield from ({"asset": asset, "attested": known} for asset, known in sorted(self.attested.items()))
        for asset in sorted(self.inspectors):
            for key, until_s in sorted(self.inspectors[asset].items()):
                yield {"asset": asset, "inspector": key, "until_s": until_s}
        if self.trail is not None:
            yield {"events": self.trail[0], "trail": self.trail[1]}
