"""An engineer, an inspector and an installer for the tiny community, and a pen for what they attest."""

from typing import Literal

from community import NAME, NOON, Community, key

from commonwatt.flows.rulebook.identity.trust_bodies import AttestAsset, Authorise, Qualify, Withdraw
from commonwatt.identity.credentials import (
    Claim,
    Credential,
    EngineeringSpecification,
    Inspection,
    ProfessionalQualification,
    asset_urn,
    issue_credential,
    key_urn,
    read_credential,
)
from commonwatt.model import Kind, Outcome

PROFESSIONS: tuple[Literal["engineer", "inspector", "installer"], ...] = ("engineer", "inspector", "installer")
YEAR_S = 365 * 86_400
BATTERY = "anna-battery"


def staffed(homes: int = 2, **charter: int) -> Community:
    """Return a community whose professionals are registered and qualified, each under the name of the role."""
    community = Community(homes, **charter)
    for role in PROFESSIONS:
        assert community.register_key(role, role, role) is Outcome.BOOKED
        assert qualify(community, role, role) is Outcome.BOOKED
    return community


def qualify(
    community: Community,
    who: str,
    role: Literal["engineer", "inspector", "installer"],
    *,
    since_s: int = NOON - 100,
    until_s: int = NOON + YEAR_S,
    by: str = "operator",
    p256: str | None = None,
) -> Outcome:
    claim = ProfessionalQualification(id=key_urn(NAME, key(who).id), role=role, licence="L 1", p256=p256)
    return community.ask("operator", Kind.ATTEST, Qualify(credential=words(by, claim, since_s, until_s)))


def words(by: str, claim: Claim, since_s: int = NOON - 10, until_s: int = NOON + YEAR_S) -> str:
    """Return somebody's credential."""
    told = Credential(issuer=key_urn(NAME, key(by).id), since_s=since_s, until_s=until_s, claim=claim)
    return issue_credential(told, key(by))


def limits(asset: str = BATTERY, **told: int) -> EngineeringSpecification:
    return EngineeringSpecification(id=asset_urn(NAME, asset), **told)


def inspected(result: Literal["pass", "fail"], asset: str = BATTERY) -> Inspection:
    return Inspection(id=asset_urn(NAME, asset), inspected_on="2026-05-31", result=result)


def attest(community: Community, credential: str, by: str, asset: str = BATTERY, account: str | None = None) -> Outcome:
    return community.ask(by, Kind.ATTEST, AttestAsset(asset=asset, credential=credential), account)


def revoke(community: Community, credential: str, by: str, asset: str | None = BATTERY) -> Outcome:
    return community.ask(by, Kind.ATTEST, Withdraw(credential=read_credential(credential).name, asset=asset))


def authorise(community: Community, who: str, until_s: int, asset: str = BATTERY, by: str = "operator") -> Outcome:
    body = Authorise(to=key(who).public.hex(), asset=asset, until_s=until_s)
    return community.ask(by, Kind.ATTEST, body)
