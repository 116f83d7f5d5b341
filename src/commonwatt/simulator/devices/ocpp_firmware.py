"""How a simulated station takes a firmware: fetched over HTTP, checked by its maker's signature, there after a boot."""

import asyncio
import base64
import binascii
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from commonwatt.simulator.devices.ocpp_stack import seconds
from commonwatt.simulator.devices.ocpp_words import stamp

if TYPE_CHECKING:
    from commonwatt.simulator.devices.ocpp_station import OcppStation

Told = dict[str, Any]
MARK = b"simulated firmware "
"""How an image begins; its version follows, to the end of the line."""
PLAIN_16 = frozenset({"Downloaded", "DownloadFailed", "Downloading", "Idle", "InstallationFailed", "Installing",
                      "Installed"})  # fmt: skip
"""What OCPP 1.6 can say of a firmware that is not signed."""
LOOK_S = 0.02


def update(station: "OcppStation", asked: Told) -> Told:
    """Begin with a firmware, unless its certificate is not the maker's; what is under way is given up for it.

    Source: OCPP 2.0.1 part 2, L01 and L02; for 1.6 5.11 and the white paper's signed firmware.
    """
    assert station.duties is not None
    file = asked.get("firmware", asked)
    if "signingCertificate" in file and _signer(station, file) is None:
        warn(station, "InvalidFirmwareSigningCertificate")
        return {"status": "InvalidCertificate"}
    before, station.duties.updating = station.duties.updating, station.soon(_take(station, asked, file))
    if station.version == "1.6" and "firmware" not in asked:
        return {}
    if before is None or before.done():
        return {"status": "Accepted"}
    before.cancel()
    return {"status": "AcceptedCanceled"}


async def _take(station: "OcppStation", asked: Told, file: Told) -> None:
    """Fetch, check, wait, boot: each step is told. It tries once; trying again is left to whoever asked."""

    def tell(status: str) -> None:
        signed = station.version == "1.6" and "firmware" in asked
        if station.version == "1.6" and not signed and status not in PLAIN_16:
            return
        number = {"requestId": asked["requestId"]} if "requestId" in asked else {}
        action = "SignedFirmwareStatusNotification" if signed else "FirmwareStatusNotification"
        station.later(action, {"status": status, **number})

    tell("Downloading")
    image = await fetched(file["location"])
    tell("DownloadFailed" if image is None else "Downloaded")
    if image is None:
        return
    wrong = _wrong(station, file, image)
    if not wrong and "signingCertificate" in file:
        tell("SignatureVerified")
    version, _, _ = image.removeprefix(MARK).partition(b"\n")
    if not wrong and not (image.startswith(MARK) and version):
        wrong = "InstallationFailed"
    if wrong:
        tell(wrong)
        return
    install_s = seconds(file["installDateTime"]) if "installDateTime" in file else 0
    if station.transaction is not None or station.plant.now_s < install_s:
        tell("InstallScheduled")
    while station.transaction is not None or station.plant.now_s < install_s:
        await asyncio.sleep(LOOK_S)
    tell("Installing")
    tell("InstallRebooting")
    while station.queue:
        await asyncio.sleep(LOOK_S)
    station.firmware = version.decode(errors="replace")
    await station.reboot("FirmwareUpdate")
    tell("Installed")


def _wrong(station: "OcppStation", file: Told, image: bytes) -> str:
    """Return what is wrong with a signature, and warn of it; empty where none was promised."""
    if "signingCertificate" not in file or _fits(_signer(station, file), file["signature"], image):
        return ""
    warn(station, "InvalidFirmwareSignature")
    return "InvalidSignature"


async def fetched(url: str) -> bytes | None:
    """Return a file over HTTP from this machine, None where it is not to be had; nothing else is asked."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname != "127.0.0.1" or parts.port is None:
        return None
    try:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(f"GET {parts.path} HTTP/1.0\r\nContent-Length: 0\r\n\r\n".encode())
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        writer.close()
    except OSError:
        return None
    return body if b" 200 " in head.partition(b"\r\n")[0] else None


def warn(station: "OcppStation", kind: str) -> None:
    """Tell of something that touches security."""
    station.later("SecurityEventNotification", {"type": kind, "timestamp": stamp(station)})


def _signer(station: "OcppStation", file: Told) -> x509.Certificate | None:
    assert station.duties is not None
    try:
        certificate = x509.load_pem_x509_certificate(file["signingCertificate"].encode())
    except ValueError:
        return None
    return certificate if station.duties.keys.of_maker(certificate, station.plant.now_s) else None


def _fits(certificate: x509.Certificate | None, signature: str, image: bytes) -> bool:
    """Tell whether the signature over the file is the certificate's; it knows elliptic curves only."""
    key = None if certificate is None else certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(base64.b64decode(signature, validate=True), image, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error):
        return False
    return True
