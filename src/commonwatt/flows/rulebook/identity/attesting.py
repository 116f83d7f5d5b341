"""Rules for attestations: what engineers, inspectors and installers sign of assets, and what follows from it.

- A professional counts while the operator's credential for them holds: registered key, role, dates, not revoked.
- A specification narrows the asset: of each limit the smaller holds, for readings, schedules, orders and commands. Its
  expiry or revocation never widens anything again, only a newer specification does, and never beyond the claim.
- A failed inspection, and the revocation of any inspection or specification, suspends the asset: no schedule, no
  command, whatever its owner consents to, until a newer inspection passes or a newer specification is attested.
- Of one kind the credential that was issued last counts; an older one is refused, so nobody brings back what a newer
  one, or a revocation, has ended. Readings are judged by what is attested when they arrive.
- Temperature limits are kept and shown, not enforced: temperatures are personal, and no rule reads them.
"""

from dataclasses import replace

from commonwatt.flows.rulebook.identity import trust_bodies as bodies
from commonwatt.flows.rulebook.identity.trusted import Attestation, Attested, Professional
from commonwatt.flows.rulebook.state import State
from commonwatt.identity.credentials import (
    ES256,
    ES256K,
    Claim,
    Credential,
    CredentialKey,
    EngineeringSpecification,
    Inspection,
    ProfessionalQualification,
    Registration,
    asset_urn,
    check_credential,
    key_urn,
    read_credential,
)
from commonwatt.identity.keys import VerifyingKey
from commonwatt.model import Asset, AssetId, InvalidValue, KeyId, Outcome, Refused, Request

_ISSUED_BY: dict[type[Claim], str] = {
    EngineeringSpecification: "engineer",
    Inspection: "inspector",
    Registration: "installer",
}
MOST_INSPECTORS = 32
"""Whom the law lets read about one asset."""


def attest(state: State, request: Request, body: bodies.Attest, position: int, stamped_s: int) -> Outcome:
    """Take in a credential, revoke one, or let an inspector read about an asset."""
    match body:
        case bodies.AttestAsset():
            outcome = _attest_asset(state, request, body, position, stamped_s)
        case bodies.Qualify():
            outcome = _qualify(state, request, body, position, stamped_s)
        case bodies.Withdraw():
            outcome = _withdraw(state, request, body)
        case bodies.Archived():
            outcome = _archived(state, request, body)
        case bodies.Authorise():
            outcome = _authorise(state, request, body, stamped_s)
        case bodies.EntranceTrail():
            outcome = _trail(state, request, body)
    if outcome is Outcome.BOOKED:
        state.registry_version += 1
    return outcome


def narrowed(claimed: Asset, limits: EngineeringSpecification) -> Asset:
    """Return an asset within the smaller of its claimed and its attested limits.

    Raises:
        InvalidValue: They contradict each other: it could not draw at all, or stores nothing.
    """
    if limits.capacity_wh is not None and not claimed.stores:
        raise InvalidValue(f"only what stores has a capacity, {claimed.id} does not")
    names = ("max_import_w", "max_export_w", "capacity_wh", "charge_permille", "discharge_permille")
    told = {name: getattr(limits, name) for name in names}
    return replace(claimed, **{n: min(v, getattr(claimed, n)) for n, v in told.items() if v is not None})


def _attest_asset(state: State, request: Request, body: bodies.AttestAsset, position: int, stamped_s: int) -> Outcome:
    asset = state.assets.get(AssetId(body.asset))
    if asset is None:
        return Outcome.UNKNOWN_THING
    try:
        found = read_credential(body.credential)
    except InvalidValue:
        return Outcome.OVER_LIMIT
    if found.claim.id != asset_urn(state.community, asset.id):
        return Outcome.NOT_ALLOWED
    issuer = _issuer(state, found)
    key = _key(state, found, issuer, stamped_s)
    if issuer is None or key is None or not _may_tell(state, request, asset, issuer):
        return Outcome.NOT_ALLOWED
    if found.until_s <= stamped_s:
        return Outcome.TOO_LATE
    try:
        check_credential(body.credential, key, stamped_s)
    except Refused:
        return Outcome.NOT_ALLOWED
    return _believe(state, asset, found, _attestation(found, issuer, position))


def _issuer(state: State, found: Credential) -> KeyId | None:
    """Return the registered key that a credential names as its issuer, or None."""
    prefix = key_urn(state.community, KeyId(""))
    key = KeyId(found.issuer.removeprefix(prefix))
    return key if found.issuer.startswith(prefix) and key in state.keys else None


def _key(state: State, found: Credential, issuer: KeyId | None, stamped_s: int) -> CredentialKey | None:
    """Return the key that must have signed, if its holder is one who may say this at this time; or None."""
    role = _ISSUED_BY.get(type(found.claim))
    if issuer is None or role is None or state.trusted.qualification(issuer, role, stamped_s) is None:
        return None
    if found.kid == f"{found.issuer}#{ES256}":
        p256 = state.trusted.professionals[issuer].p256
        return CredentialKey(issuer=found.issuer, alg=ES256, public=bytes.fromhex(p256)) if p256 else None
    return CredentialKey(issuer=found.issuer, alg=ES256K, public=state.keys[issuer].verifying.public)


def _may_tell(state: State, request: Request, asset: Asset, issuer: KeyId) -> bool:
    """Tell whether the author may bring an asset's credential: its owner, its issuer or the operator.

    Nobody attests what is their own.
    """
    if state.keys[issuer].account == asset.owner:
        return False
    if request.author in (state.operator, issuer):
        return True
    return state.keys[request.author].role == "member" and asset.owner == request.on_behalf_of


def _attestation(found: Credential, issuer: KeyId, position: int) -> Attestation:
    return Attestation(name=found.name, issuer=issuer, position=position, since_s=found.since_s, until_s=found.until_s)


def _believe(state: State, asset: Asset, found: Credential, word: Attestation) -> Outcome:
    known = state.trusted.attested.get(asset.id) or Attested(claimed=asset)
    match found.claim:
        case EngineeringSpecification() as limits:
            outcome = _newer(known.specification, word)
            told = replace(known, specification=word, limits=limits)
        case Inspection(result=result):
            outcome = _newer(known.inspection, word)
            told = replace(known, inspection=word, passed=result == "pass")
        case Registration(gateway=gateway, register=register, asset_kind=kind):
            outcome = _newer(known.registration, word)
            told = replace(known, registration=word)
            place = state.gateways[asset.gateway].assets.index(asset.id)
            if (gateway, register, kind) != (asset.gateway, place, asset.kind.value):
                return Outcome.NOT_ALLOWED
        case _:
            return Outcome.NOT_ALLOWED
    if outcome is not Outcome.BOOKED:
        return outcome
    try:
        state.assets[asset.id] = narrowed(told.claimed, told.limits) if told.limits else told.claimed
    except InvalidValue:
        return Outcome.OVER_LIMIT
    state.trusted.attested[asset.id] = told
    return Outcome.BOOKED


def _newer(known: Attestation | None, word: Attestation) -> Outcome:
    if known is None or known.since_s < word.since_s:
        return Outcome.BOOKED
    return Outcome.ALREADY_THERE if known.name == word.name else Outcome.TOO_LATE


def _qualify(state: State, request: Request, body: bodies.Qualify, position: int, stamped_s: int) -> Outcome:
    operator = state.operator
    if operator is None or request.author != operator:
        return Outcome.NOT_ALLOWED
    public = state.keys[operator].verifying.public
    key = CredentialKey(issuer=key_urn(state.community, operator), alg=ES256K, public=public)
    try:
        found = check_credential(body.credential, key, stamped_s)
        claim = found.claim
        if isinstance(claim, ProfessionalQualification) and claim.p256:
            CredentialKey(issuer=claim.id, alg=ES256, public=bytes.fromhex(claim.p256))
    except InvalidValue:
        return Outcome.OVER_LIMIT
    except Refused:
        return Outcome.NOT_ALLOWED
    if not isinstance(claim, ProfessionalQualification):
        return Outcome.NOT_ALLOWED
    who = KeyId(claim.id.removeprefix(key_urn(state.community, KeyId(""))))
    if who not in state.keys or claim.id != key_urn(state.community, who):
        return Outcome.UNKNOWN_THING
    if state.keys[who].role != claim.role:
        return Outcome.NOT_ALLOWED
    known = state.trusted.professionals.get(who)
    word = _attestation(found, operator, position)
    outcome = _newer(known.qualification if known else None, word)
    if outcome is Outcome.BOOKED:
        state.trusted.professionals[who] = Professional(role=claim.role, qualification=word, p256=claim.p256)
    return outcome


def _withdraw(state: State, request: Request, body: bodies.Withdraw) -> Outcome:
    """Revoke a credential that counts: of an asset, or without one a professional's own."""
    trusted, name = state.trusted, body.credential
    if body.asset is None:
        for who, known in trusted.professionals.items():
            if known.qualification.name == name:
                return _revoke_professional(state, request, who, known)
        return Outcome.UNKNOWN_THING
    told = trusted.attested.get(AssetId(body.asset))
    kinds = ("specification", "inspection", "registration")
    words = {kind: word for kind in kinds if told and (word := getattr(told, kind)) and word.name == name}
    if told is None or not words:
        return Outcome.UNKNOWN_THING
    ((kind, word),) = words.items()
    if request.author not in (state.operator, word.issuer):
        return Outcome.NOT_ALLOWED
    if word.revoked:
        return Outcome.ALREADY_THERE
    trusted.attested[AssetId(body.asset)] = replace(told, **{kind: replace(word, revoked=True)})
    return Outcome.BOOKED


def _revoke_professional(state: State, request: Request, who: KeyId, known: Professional) -> Outcome:
    if request.author != state.operator:
        return Outcome.NOT_ALLOWED
    if known.qualification.revoked:
        return Outcome.ALREADY_THERE
    state.trusted.professionals[who] = replace(known, qualification=replace(known.qualification, revoked=True))
    return Outcome.BOOKED


def _authorise(state: State, request: Request, body: bodies.Authorise, stamped_s: int) -> Outcome:
    """Note that the law lets an inspector read about an asset; a date that has passed ends it."""
    if request.author != state.operator:
        return Outcome.NOT_ALLOWED
    asset = AssetId(body.asset)
    try:
        key = VerifyingKey(bytes.fromhex(body.to)).id
    except InvalidValue:
        return Outcome.UNKNOWN_THING
    if asset not in state.assets or key not in state.keys:
        return Outcome.UNKNOWN_THING
    if state.keys[key].role != "inspector":
        return Outcome.NOT_ALLOWED
    standing = {
        other: until_s
        for other, until_s in state.trusted.inspectors.get(asset, {}).items()
        if until_s > stamped_s and other != key
    }
    if body.until_s > stamped_s:
        standing[key] = body.until_s
    if len(standing) > MOST_INSPECTORS:
        return Outcome.OVER_LIMIT
    state.trusted.inspectors[asset] = standing
    if not standing:
        del state.trusted.inspectors[asset]
    return Outcome.BOOKED


def _archived(state: State, request: Request, body: bodies.Archived) -> Outcome:
    """Note which manifest a day lies under; a day is archived once."""
    if request.author != state.operator:
        return Outcome.NOT_ALLOWED
    if body.day in state.archived:
        return Outcome.ALREADY_THERE
    state.archived[body.day] = body.manifest
    return Outcome.BOOKED


def _trail(state: State, request: Request, body: bodies.EntranceTrail) -> Outcome:
    """Note how far the trail of the entrance goes: always further, so that no other end is ever told of it."""
    if request.author != state.operator:
        return Outcome.NOT_ALLOWED
    if state.trusted.trail is not None and body.events <= state.trusted.trail[0]:
        return Outcome.ALREADY_THERE if (body.events, body.head) == state.trusted.trail else Outcome.TOO_LATE
    state.trusted.trail = (body.events, body.head)
    return Outcome.BOOKED
