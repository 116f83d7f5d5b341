"""Firmware for stations and logs from them: offered by address, hash and signature, and followed to their end."""

import base64
import binascii
from datetime import datetime
from typing import Any

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from commonwatt.adapters.devices.ocpp.books import MOST_LOGS, Firmware, Upload
from commonwatt.adapters.devices.ocpp.certificates import pem, read_certificate
from commonwatt.adapters.devices.ocpp.frames import CallRefused
from commonwatt.adapters.devices.ocpp.management import words
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.adapters.devices.ocpp.translate import stamp
from commonwatt.model import InvalidValue, Refused

FAILED = frozenset({"DownloadFailed", "InstallationFailed", "InstallVerificationFailed"})
"""Worth another try."""
NEVER = frozenset({"InvalidSignature"})
"""Not worth one: the file is not what its maker signed."""
MOST_TRIES = 3
RETRIES, RETRY_AFTER_S = 3, 60
DIAGNOSTICS, SECURITY = "DiagnosticsLog", "SecurityLog"


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A firmware as its maker published it.

    Args:
        url: Where stations fetch it.
        sha256: Of the file, in hexadecimal; needed where it is signed.
        signature: Over the file with SHA-256, in base64; empty: the maker signs nothing.
        certificate: With which it was signed, PEM.
    """

    url: str
    sha256: str = ""
    signature: str = ""
    certificate: str = ""

    def checked(self) -> x509.Certificate | None:
        """Return the maker's certificate, whose signature fits the hash; None where nothing is signed.

        Raises:
            Refused: The signature does not fit, or half of it is missing.
            InvalidValue: The certificate is none.
        """
        if not self.signature and not self.certificate:
            return None
        if not (self.signature and self.certificate and self.sha256):
            raise Refused("a signed firmware has a hash, a signature and a certificate", url=self.url)
        certificate = read_certificate(self.certificate)
        key, digest = certificate.public_key(), Prehashed(hashes.SHA256())
        try:
            hash, signature = bytes.fromhex(self.sha256), base64.b64decode(self.signature, validate=True)
            if isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signature, hash, ec.ECDSA(digest))
            elif isinstance(key, rsa.RSAPublicKey):
                _verify_rsa(key, signature, hash)
            else:
                raise Refused("firmware is signed with RSA or an elliptic curve", url=self.url)
        except (InvalidSignature, ValueError, binascii.Error):
            raise Refused("the signature of a firmware fits its hash and certificate", url=self.url) from None
        return certificate


async def update(station: Station, offer: Offer, now: datetime, install_at: datetime | None = None) -> str:
    """Tell a station to take a firmware, and return an empty text, or why it does not.

    Raises:
        Refused: The offer's own signature does not fit; no station is told of it.
        Unreachable: The station gave no answer.
        InvalidValue: Its answer makes no sense.

    Source: OCPP 1.6 5.11 with the white paper's signed firmware; OCPP 2.0.1 part 2, L01 and L02.
    """
    certificate = offer.checked()
    number = station.books.number()
    retry = {"retries": RETRIES, "retryInterval": RETRY_AFTER_S}
    if station.version == "1.6" and certificate is None:
        action, told = "UpdateFirmware", {"location": offer.url, "retrieveDate": stamp(now), **retry}
    else:
        file: dict[str, Any] = {"location": offer.url, "retrieveDateTime": stamp(now)}
        if certificate is not None:
            file |= {"signingCertificate": pem(certificate), "signature": offer.signature}
        if install_at is not None:
            file["installDateTime"] = stamp(install_at)
        action = "SignedUpdateFirmware" if station.version == "1.6" else "UpdateFirmware"
        told = {"requestId": number, "firmware": file, **retry}
    before = station.books.firmware
    tries = before.tries + 1 if before is not None and before.location == offer.url else 1
    station.books.firmware = Firmware(request=number, location=offer.url, tries=tries)
    try:
        status = (await station.call(action, told)).get("status", "Accepted")  # 1.6 answers nothing
    except CallRefused as refused:
        status = f"refused: {refused}"
    if status not in ("Accepted", "AcceptedCanceled"):
        station.books.firmware = before
        return words(status)
    station.remember(station)
    return ""


async def again(station: Station, offer: Offer, now: datetime) -> str:
    """Try a firmware again that failed, some times; return an empty text where it is under way or done, or why not.

    Raises:
        Unreachable: The station gave no answer.
        InvalidValue: Its answer makes no sense.
    """
    known = station.books.firmware
    if known is None or known.location != offer.url:
        return await update(station, offer, now)
    if known.state in NEVER:
        return "the station says that the signature is not valid: it is not tried again"
    if known.state not in FAILED:
        return ""
    if known.tries >= MOST_TRIES:
        return f"it failed {known.tries} times, last with {known.state}"
    return await update(station, offer, now)


async def get_log(station: Station, url: str, kind: str = DIAGNOSTICS) -> tuple[int, str]:
    """Tell a station to send a log to an address.

    Returns:
        The number by which the log is followed in ``station.books.uploads``, and an empty text, or 0 and why not.

    Raises:
        Unreachable: The station gave no answer.
        InvalidValue: Its answer makes no sense, or there is no such log.

    Source: OCPP 1.6 5.7 and the white paper's GetLog; OCPP 2.0.1 part 2, N01.
    """
    if kind not in (DIAGNOSTICS, SECURITY):
        raise InvalidValue(f"a log is {DIAGNOSTICS} or {SECURITY}, was {kind}")
    number, uploads = station.books.number(), station.books.uploads
    uploads[number] = Upload(kind=kind, location=url)
    retry = {"retries": RETRIES, "retryInterval": RETRY_AFTER_S}
    try:
        if station.version == "1.6" and kind == DIAGNOSTICS:
            told = await station.call("GetDiagnostics", {"location": url, **retry})
            status, name = "Accepted", told.get("fileName") or ""
        else:
            asked = {"logType": kind, "requestId": number, "log": {"remoteLocation": url}, **retry}
            told = await station.call("GetLog", asked)
            status, name = str(told.get("status")), told.get("filename") or ""
    except CallRefused as refused:
        status, name = f"refused: {refused}", ""
    if status not in ("Accepted", "AcceptedCanceled"):
        del uploads[number]
        return 0, words(status)
    uploads[number].name = name
    if len(uploads) > MOST_LOGS:
        del uploads[min(uploads)]
    station.remember(station)
    return number, ""


def _verify_rsa(key: rsa.RSAPublicKey, signature: bytes, hash: bytes) -> None:
    """Check an RSA signature, PSS as OCPP 2.0.1 A00.FR.313 wants it or PKCS#1 as makers still use."""
    digest = Prehashed(hashes.SHA256())
    try:
        key.verify(signature, hash, padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO), digest)
    except InvalidSignature:
        key.verify(signature, hash, padding.PKCS1v15(), digest)
