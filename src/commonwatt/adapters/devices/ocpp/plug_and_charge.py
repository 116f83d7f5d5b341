"""What we answer stations of OCPP 2.x about contracts of cars: authorisation, contract certificates, revocation."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography import x509

from commonwatt.adapters.devices.ocpp.contracts import answer_holds, contract_status, emaid_of, read_answer
from commonwatt.adapters.devices.ocpp.handlers import Heard, Payload
from commonwatt.adapters.devices.ocpp.tokens import ACCEPTED, INVALID, Verdict, same_token
from commonwatt.adapters.devices.ocpp.translate import stamp
from commonwatt.model import InvalidValue, Refused, Unreachable, instant

MOST_HASHES = 4


async def authorize(heard: Heard, told: Payload) -> Payload:
    """Say whether a token may charge; a contract has to be one by its certificates too.

    Source: OCPP 2.0.1 part 2, C07 (contract certificates checked by station or by us) and C01.
    """
    token = told["idToken"]["idToken"]
    hashes = told.get("iso15118CertificateHashData") or ()
    found: str | None = None
    chain: list[x509.Certificate] = []
    if told.get("certificate"):
        found, chain = contract_status(told["certificate"], heard.services.mobility_roots, heard.now)
        if found == ACCEPTED and not same_token(emaid_of(chain), token):
            found = "CertChainError"
    if found in (None, ACCEPTED) and hashes:
        found = await _revocation(heard, hashes[:MOST_HASHES], chain)
    verdict = heard.services.judge(heard.station, token, heard.now_s)
    if found == ACCEPTED and verdict.status == INVALID:
        found = "ContractCancelled"
    elif found not in (None, ACCEPTED):
        verdict = Verdict(INVALID)
    answer: Payload = {"idTokenInfo": told_2(verdict)}
    if found is not None:
        answer["certificateStatus"] = found
    return answer


async def ev_certificate(heard: Heard, told: Payload) -> Payload:
    """Hand what a car asks to the pool of contract certificates, and its answer to the car."""
    pool = heard.services.pool
    if pool is None:
        return {"status": "Failed", "exiResponse": "", "statusInfo": {"reasonCode": "NoPool"}}
    try:
        return await pool.ask(told)
    except (Unreachable, InvalidValue) as error:
        info = {"reasonCode": "PoolFailed", "additionalInfo": str(error)[:512]}
        return {"status": "Failed", "exiResponse": "", "statusInfo": info}


async def certificate_status(heard: Heard, told: Payload) -> Payload:
    """Ask the responder of a certificate whether it was revoked; the station checks the answer's signature itself."""
    responders = heard.services.responders
    if responders is None:
        return {"status": "Failed", "statusInfo": {"reasonCode": "NoResponder"}}
    try:
        data = await responders.ask(told["ocspRequestData"])
    except (Refused, Unreachable, InvalidValue) as error:
        return {"status": "Failed", "statusInfo": {"reasonCode": "OcspFailed", "additionalInfo": str(error)[:512]}}
    return {"status": "Accepted", "ocspResult": base64.b64encode(data).decode()}


def told_2(verdict: Verdict) -> Payload:
    """Return a verdict as OCPP 2.x says it."""
    info: Payload = {"status": verdict.status}
    if verdict.expires_s is not None:
        info["cacheExpiryDateTime"] = stamp(instant(verdict.expires_s))
    if verdict.group:
        info["groupIdToken"] = {"idToken": verdict.group, "type": "Central"}
    return info


async def _revocation(heard: Heard, hashes: Sequence[Mapping[str, Any]], chain: Sequence[x509.Certificate]) -> str:
    """Return what the responders say; where one cannot be asked or believed, nobody knows, and that is no yes."""
    services = heard.services
    issuers = [*services.mobility_roots, *chain[1:]]
    if services.responders is None:
        return "NoCertificateAvailable"
    for one in hashes:
        try:
            answer = read_answer(await services.responders.ask(one), one, heard.now)
        except (Refused, Unreachable, InvalidValue) as error:
            heard.station.note(f"OCSP: {type(error).__name__}")
            return "NoCertificateAvailable"
        if not answer_holds(answer, issuers):
            return "SignatureError"
        status = answer.certificate_status.name
        if status != "GOOD":
            return "CertificateRevoked" if status == "REVOKED" else "NoCertificateAvailable"
    return ACCEPTED
