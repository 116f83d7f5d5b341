"""What a simulated station does beside charging: its secrets, certificates, reservations, local list and firmware."""

import base64
import hashlib
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from commonwatt.simulator.devices.ocpp_stack import seconds
from commonwatt.simulator.devices.ocpp_words import stamp

if TYPE_CHECKING:
    from commonwatt.simulator.devices.ocpp_station import OcppStation

Told = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Duties:
    """What one station was told and keeps.

    Args:
        name: Common name in its requests for certificates.
        password: With which it comes; empty: with none.
        root: The server's root, PEM; with it, the station speaks TLS.
        obeys_lists: Whether it takes differences; else it answers that they failed.
    """

    name: str
    password: str = ""
    root: str = ""
    secure_url: str = ""
    obeys_lists: bool = True
    certificate: str = ""
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    roots: dict[str, str] = field(default_factory=dict)
    reserved: dict[int, tuple[str, int]] = field(default_factory=dict)
    listed: dict[str, str] = field(default_factory=dict)
    list_version: int = 0
    firmware: Told = field(default_factory=dict)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """HTTP Basic, where it has a password."""
        if not self.password:
            return []
        coded = base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
        return [("Authorization", f"Basic {coded}")]

    def tls(self) -> ssl.SSLContext | None:
        """What it speaks TLS with, showing its certificate where it has one."""
        if not self.root:
            return None
        context = ssl.create_default_context(cadata=self.root + "".join(self.roots.values()))
        if self.certificate:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "own.pem"
                path.write_bytes(self.certificate.encode() + _pem(self.key))
                context.load_cert_chain(path)
        return context

    def request(self) -> str:
        """Return a request for a certificate, by a key that is new."""
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(self.key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM).decode()

    def answer(self, station: "OcppStation", action: str, asked: Told) -> Told | None:
        """Return the answer to a call, or None where it is none of these."""
        found = {
            "ReserveNow": self._reserve, "CancelReservation": self._cancel, "SendLocalList": self._list,
            "GetLocalListVersion": self._version, "InstallCertificate": self._install,
            "CertificateSigned": self._signed, "ChangeConfiguration": self._change, "SetVariables": self._variables,
            "TriggerMessage": self._trigger, "ExtendedTriggerMessage": self._trigger, "UpdateFirmware": self._update,
            "SignedUpdateFirmware": self._update, "GetLog": self._log, "GetDiagnostics": self._log,
            "SetNetworkProfile": self._fine, "Reset": self._fine, "UnlockConnector": self._unlock,
            "ChangeAvailability": self._fine, "GetInstalledCertificateIds": self._installed,
        }.get(action)  # fmt: skip
        return None if found is None else found(station, asked)

    def _reserve(self, station: "OcppStation", asked: Told) -> Told:
        if station.transaction is not None:
            return {"status": "Occupied"}
        old = station.version == "1.6"
        number = asked["reservationId" if old else "id"]
        token = asked["idTag"] if old else asked["idToken"]["idToken"]
        self.reserved[number] = token, seconds(asked["expiryDate" if old else "expiryDateTime"])
        return {"status": "Accepted"}

    def _cancel(self, station: "OcppStation", asked: Told) -> Told:
        return {"status": "Rejected" if self.reserved.pop(asked["reservationId"], None) is None else "Accepted"}

    def _list(self, station: "OcppStation", asked: Told) -> Told:
        full = asked["updateType"] == "Full"
        if not full and not self.obeys_lists:
            return {"status": "Failed"}
        if full:
            self.listed.clear()
        for one in asked.get("localAuthorizationList", []):
            token = one["idTag"] if "idTag" in one else one["idToken"]["idToken"]
            info = one.get("idTagInfo", one.get("idTokenInfo"))
            if info is None:
                self.listed.pop(token, None)
            else:
                self.listed[token] = info["status"]
        self.list_version = int(asked["listVersion" if station.version == "1.6" else "versionNumber"])
        return {"status": "Accepted"}

    def _version(self, station: "OcppStation", asked: Told) -> Told:
        return {"listVersion" if station.version == "1.6" else "versionNumber": self.list_version}

    def _install(self, station: "OcppStation", asked: Told) -> Told:
        self.roots[asked["certificateType"]] = asked["certificate"]
        return {"status": "Accepted"}

    def _installed(self, station: "OcppStation", asked: Told) -> Told:
        return {"status": "NotFound"}

    def _signed(self, station: "OcppStation", asked: Told) -> Told:
        """Take a certificate only if it is for the key that the request was made with."""
        made = x509.load_pem_x509_certificate(asked["certificateChain"].encode())
        if made.public_key() != self.key.public_key():
            return {"status": "Rejected"}
        self.certificate = asked["certificateChain"]
        return {"status": "Accepted"}

    def _change(self, station: "OcppStation", asked: Told) -> Told:
        return {"status": self._set(station, asked["key"], asked["value"])}

    def _variables(self, station: "OcppStation", asked: Told) -> Told:
        results = [
            {
                "attributeStatus": self._set(station, one["variable"]["name"], one["attributeValue"]),
                "component": one["component"], "variable": one["variable"],
            }
            for one in asked["setVariableData"]
        ]  # fmt: skip
        return {"setVariableResult": results}

    def _set(self, station: "OcppStation", name: str, value: str) -> str:
        if name in ("AuthorizationKey", "BasicAuthPassword"):
            self.password = value
        elif name in ("SecurityProfile", "NetworkConfigurationPriority"):
            station.url = self.secure_url or station.url
        return "Accepted"

    def _trigger(self, station: "OcppStation", asked: Told) -> Told:
        if not asked["requestedMessage"].startswith("SignCharg"):
            return {"status": "NotImplemented"}
        station.later("SignCertificate", {"csr": self.request()})
        return {"status": "Accepted"}

    def _update(self, station: "OcppStation", asked: Told) -> Told:
        """Say step by step how the download goes; a signature is looked at by whoever has the file."""
        self.firmware = asked
        signed = "requestId" in asked
        action = "SignedFirmwareStatusNotification" if signed and station.version == "1.6" else (
            "FirmwareStatusNotification"
        )  # fmt: skip
        for status in ("Downloading", "DownloadFailed"):
            station.later(action, {"status": status, **({"requestId": asked["requestId"]} if signed else {})})
        return {} if action == "FirmwareStatusNotification" and station.version == "1.6" else {"status": "Accepted"}

    def _log(self, station: "OcppStation", asked: Told) -> Told:
        number = asked.get("requestId")
        if number is None:
            station.later("DiagnosticsStatusNotification", {"status": "Uploaded"})
            return {"fileName": "diagnostics.log"}
        station.later("LogStatusNotification", {"status": "Uploaded", "requestId": number})
        name = hashlib.sha256(stamp(station).encode()).hexdigest()[:12]
        return {"status": "Accepted", "filename": f"{name}.log"}

    def _unlock(self, station: "OcppStation", asked: Told) -> Told:
        return {"status": "Unlocked"}

    def _fine(self, station: "OcppStation", asked: Told) -> Told:
        return {"status": "Accepted"}


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
