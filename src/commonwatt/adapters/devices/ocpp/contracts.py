"""Plug & Charge on our side: contract certificates from a pool, revocation from responders, chains of contracts."""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from commonwatt.adapters.devices.ocpp.certificates import common_name
from commonwatt.model import InvalidValue, Refused, Unreachable

WITHIN_S = 5.0
LARGEST_ANSWER = 65_536
MOST_CACHED = 2_000
SHORT_WHILE = timedelta(hours=1)
"""An answer of a responder that says no next update is kept so long."""
LONGEST_CHAIN = 5
DIGESTS: Mapping[str, type[hashes.HashAlgorithm]] = {
    "SHA256": hashes.SHA256,
    "SHA384": hashes.SHA384,
    "SHA512": hashes.SHA512,
}


@dataclass(frozen=True, slots=True)
class ContractPool:
    """Where contract certificates for cars come from: it is sent what a car asks, and its answer goes to the car.

    Neither is read here: both are EXI, signed and partly encrypted between car and issuer.

    Args:
        url: Takes a POST of ``{"iso15118SchemaVersion", "action", "exiRequest"}`` and answers ``{"status",
            "exiResponse"}``, as OCPP names them.
        token: Sent as a bearer's, where the pool wants one.
        client: Speaks HTTP.
    """

    url: str
    client: httpx.AsyncClient
    token: str = field(default="", repr=False)

    async def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer for a car.

        Raises:
            Unreachable: The pool gave no answer in time.
            InvalidValue: Its answer makes no sense.
        """
        wanted = ("iso15118SchemaVersion", "action", "exiRequest", "maximumContractCertificateChains",
                  "prioritizedEMAIDs")  # fmt: skip
        body = {name: request[name] for name in wanted if name in request}
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        data = await _post(self.client, self.url, httpx.Request("POST", self.url, json=body, headers=headers))
        try:
            told = httpx.Response(200, content=data).json()
            base64.b64decode(told["exiResponse"], validate=True)
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidValue(f"a contract pool answers JSON with an exiResponse in base64: {error}") from None
        if told.get("status") not in ("Accepted", "Failed"):
            raise InvalidValue(f"a contract pool answers Accepted or Failed, was {str(told.get('status'))[:20]!r}")
        return {"status": told["status"], "exiResponse": told["exiResponse"]}


@dataclass(slots=True)
class Responders:
    """Asks OCSP responders whether a certificate was revoked, and keeps what they say until their next update.

    Args:
        allowed: ``host`` or ``host:port`` of the responders that may be asked: a station names their address, and
            must not make us knock anywhere else.
        client: Speaks HTTP.
        clock: Our time.
    """

    allowed: frozenset[str]
    client: httpx.AsyncClient
    clock: Callable[[], datetime]
    asked: int = 0
    _kept: dict[tuple[str, ...], tuple[datetime, bytes]] = field(default_factory=dict)

    async def ask(self, of: Mapping[str, Any]) -> bytes:
        """Return a responder's answer, DER, for an OCSPRequestData of OCPP.

        Raises:
            Refused: Its address is not one of those allowed.
            Unreachable: It gave no answer in time.
            InvalidValue: The data make no request, or the answer is none to it.

        Source: RFC 6960; OCPP 2.0.1 part 2, M06.
        """
        url = str(of["responderURL"])
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = None
        places = {parts.hostname or "", f"{parts.hostname}:{port or (443 if parts.scheme == 'https' else 80)}"}
        if parts.scheme not in ("http", "https") or parts.username or not places & self.allowed:
            raise Refused("a responder is one of those allowed", found=url[:80])
        key = tuple(str(of[name]).lower() for name in ("issuerNameHash", "issuerKeyHash", "serialNumber"))
        kept = self._kept.get(key)
        if kept is not None and self.clock() < kept[0]:
            return kept[1]
        request = ocsp_request(of)
        self.asked += 1
        headers = {"Content-Type": "application/ocsp-request"}
        data = await _post(self.client, url, httpx.Request("POST", url, content=request, headers=headers))
        answer = read_answer(data, of, self.clock())
        if len(self._kept) >= MOST_CACHED:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = (answer.next_update_utc or self.clock() + SHORT_WHILE, data)
        return data


def ocsp_request(of: Mapping[str, Any]) -> bytes:
    """Return a request, DER, for an OCSPRequestData of OCPP.

    Raises:
        InvalidValue: The data make none.
    """
    try:
        digest = DIGESTS[of["hashAlgorithm"]]()
        name, key = bytes.fromhex(of["issuerNameHash"]), bytes.fromhex(of["issuerKeyHash"])
        serial = int(of["serialNumber"], 16)
        built = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name, key, serial, digest).build()
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidValue(f"what is asked of a responder is hashes and a number in hexadecimal: {error}") from None
    return built.public_bytes(serialization.Encoding.DER)


def read_answer(data: bytes, of: Mapping[str, Any], now: datetime) -> ocsp.OCSPResponse:
    """Return a responder's answer, which is to what was asked, and not out of date.

    Raises:
        InvalidValue: It is none.
    """
    try:
        answer = ocsp.load_der_ocsp_response(data)
        if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise InvalidValue(f"a responder answered {answer.response_status.name}")
        same = (
            answer.serial_number == int(of["serialNumber"], 16)
            and answer.issuer_key_hash.hex() == of["issuerKeyHash"].lower()
            and answer.issuer_name_hash.hex() == of["issuerNameHash"].lower()
        )
        late = answer.next_update_utc
    except ValueError as error:
        raise InvalidValue(f"a responder's answer is DER: {error}") from None
    if not same:
        raise InvalidValue("a responder answered for another certificate")
    if late is not None and late <= now:
        raise InvalidValue(f"a responder's answer is valid still, was until {late}")
    return answer


def answer_holds(answer: ocsp.OCSPResponse, issuers: Sequence[x509.Certificate]) -> bool:
    """Tell whether the issuer of the certificate signed an answer, or whom it delegated that to.

    Source: RFC 6960, 4.2.2.2.
    """
    for issuer in issuers:
        if hashlib.sha256(issuer.subject.public_bytes()).digest() != answer.issuer_name_hash and (
            answer.hash_algorithm.name == "sha256"
        ):
            continue
        signers = [issuer, *(one for one in answer.certificates if _delegated(one, issuer))]
        for signer in signers:
            if _signed(signer, answer):
                return True
    return False


def contract_status(
    chain_pem: str, roots: Sequence[x509.Certificate], now: datetime
) -> tuple[str, list[x509.Certificate]]:
    """Return what is said of a contract's chain, and the chain, leaf first.

    Args:
        chain_pem: The leaf and the sub-authorities, PEM, leaf first.
        roots: Of mobility operators that are trusted.
        now: Our time.

    Returns:
        OCPP's ``Accepted``, ``SignatureError``, ``CertificateExpired`` or ``CertChainError``.

    Source: OCPP 2.0.1 part 2, C07; RFC 5280, 6.1 without policies and name constraints, which contracts do not use.
    """
    try:
        chain = x509.load_pem_x509_certificates(chain_pem.encode())
    except ValueError:
        return "CertChainError", []
    if not 1 <= len(chain) <= LONGEST_CHAIN:
        return "CertChainError", []
    if chain[-1] in roots and len(chain) > 1:
        chain = chain[:-1]
    root = next((one for one in roots if one.subject == chain[-1].issuer), None)
    if root is None:
        return "CertChainError", chain
    whole = [*chain, root]
    for depth, (one, issuer) in enumerate(pairwise(whole)):
        if not _may_issue(issuer, depth):
            return "CertChainError", chain
        try:
            one.verify_directly_issued_by(issuer)
        except InvalidSignature:
            return "SignatureError", chain
        except (ValueError, TypeError):
            return "CertChainError", chain
    if any(not one.not_valid_before_utc <= now <= one.not_valid_after_utc for one in whole):
        return "CertificateExpired", chain
    return "Accepted", chain


def emaid_of(chain: Sequence[x509.Certificate]) -> str:
    """Return whose contract a chain is: the common name of its leaf, without hyphens."""
    return common_name(chain[0]).replace("-", "").upper() if chain else ""


async def _post(client: httpx.AsyncClient, url: str, request: httpx.Request) -> bytes:
    """Return the body of an answer of 200, as long as it is short; redirections are not followed."""
    host = urlsplit(url).hostname
    try:
        request.extensions["timeout"] = httpx.Timeout(WITHIN_S).as_dict()
        response = await client.send(request, stream=True, follow_redirects=False)
        try:
            body = b""
            async for part in response.aiter_bytes():
                body += part
                if len(body) > LARGEST_ANSWER:
                    raise InvalidValue(f"{host} answers with {LARGEST_ANSWER} bytes at most")
        finally:
            await response.aclose()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(f"{host} gave no answer: {type(error).__name__}") from None
    if response.status_code != httpx.codes.OK:
        raise Unreachable(f"{host} answered {response.status_code}")
    return body


def _may_issue(issuer: x509.Certificate, below: int) -> bool:
    try:
        basic = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    return basic.ca and (basic.path_length is None or below <= basic.path_length)


def _delegated(responder: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        responder.verify_directly_issued_by(issuer)
        usage = responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in usage


def _signed(signer: x509.Certificate, answer: ocsp.OCSPResponse) -> bool:
    key, digest = signer.public_key(), answer.signature_hash_algorithm
    if digest is None:
        return False
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(digest))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(answer.signature, answer.tbs_response_bytes, padding.PKCS1v15(), digest)
        else:
            return False
    except InvalidSignature:
        return False
    return True
