"""What certificates a simulated station has: the roots that it trusts, and its own, for which it makes keys."""

import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from commonwatt.model import instant

if TYPE_CHECKING:
    from commonwatt.simulator.devices.ocpp_station import OcppStation

Told = dict[str, Any]
SERVER_ROOT, MAKER_ROOT = "CSMSRootCertificate", "ManufacturerRootCertificate"
NAMES_16 = {SERVER_ROOT: "CentralSystemRootCertificate"}
OWN, V2G = "ChargingStationCertificate", "V2GCertificate"
MOST_ROOTS = 6


@dataclass(slots=True, kw_only=True)
class Keys:
    """Roots and certificates of one station.

    Args:
        name: Common name in its requests for certificates.
        roots: Kind and PEM of each root that it trusts.
        chains: Its own certificates by kind, PEM, and
        made: the key of each.
    """

    name: str
    roots: list[tuple[str, str]] = field(default_factory=list)
    chains: dict[str, str] = field(default_factory=dict)
    made: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    _asked: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)

    def tls(self) -> ssl.SSLContext | None:
        """What it speaks TLS with, showing its certificate where it has one; None where it trusts no server."""
        trusted = "".join(pem for kind, pem in self.roots if kind == SERVER_ROOT)
        if not trusted:
            return None
        context = ssl.create_default_context(cadata=trusted)
        if OWN in self.chains:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "own.pem"
                path.write_bytes(self.chains[OWN].encode() + _pem(self.made[OWN]))
                context.load_cert_chain(path)
        return context

    def request(self, kind: str = OWN) -> str:
        """Return a request for a certificate, by a key that is new; the old one is good until the answer."""
        key = self._asked[kind] = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM).decode()

    def take(self, chain: str, kind: str = OWN) -> bool:
        """Use a certificate from now on, only if it is for the key that the last request was made with."""
        key = self._asked.get(kind)
        if key is None or x509.load_pem_x509_certificate(chain.encode()).public_key() != key.public_key():
            return False
        self.chains[kind], self.made[kind] = chain, self._asked.pop(kind)
        return True

    def of_maker(self, certificate: x509.Certificate, now_s: int) -> bool:
        """Tell whether a certificate is good just now, and of a root of the maker's that the station trusts."""
        if not certificate.not_valid_before_utc <= instant(now_s) <= certificate.not_valid_after_utc:
            return False
        for kind, pem in self.roots:
            try:
                if kind == MAKER_ROOT:
                    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(pem.encode()))
                    return True
            except (ValueError, TypeError, InvalidSignature):
                continue
        return False

    def install(self, station: "OcppStation", asked: Told) -> Told:
        """Trust a root."""
        kind = next((new for new, old in NAMES_16.items() if old == asked["certificateType"]), asked["certificateType"])
        try:
            x509.load_pem_x509_certificate(asked["certificate"].encode())
        except ValueError:
            return {"status": "Rejected"}
        if len(self.roots) >= MOST_ROOTS:
            return {"status": "Failed"}
        if (kind, asked["certificate"]) not in self.roots:
            self.roots.append((kind, asked["certificate"]))
        return {"status": "Accepted"}

    def installed(self, station: "OcppStation", asked: Told) -> Told:
        """Tell which roots it trusts, by their hashes."""
        old, wanted = station.version == "1.6", asked.get("certificateType")
        found = [
            (kind, hash_data(pem))
            for kind, pem in self.roots
            if wanted is None or (NAMES_16.get(kind, kind) == wanted if old else kind in wanted)
        ]
        if not found:
            return {"status": "NotFound"}
        if old:
            return {"status": "Accepted", "certificateHashData": [data for _, data in found]}
        chains = [{"certificateType": kind, "certificateHashData": data} for kind, data in found]
        return {"status": "Accepted", "certificateHashDataChain": chains}

    def delete(self, station: "OcppStation", asked: Told) -> Told:
        """Trust a root no more, unless no server would be left that it trusts."""
        found = next((one for one in self.roots if hash_data(one[1]) == asked["certificateHashData"]), None)
        if found is None:
            return {"status": "NotFound"}
        if found[0] == SERVER_ROOT and sum(kind == SERVER_ROOT for kind, _ in self.roots) == 1:
            return {"status": "Failed"}
        self.roots.remove(found)
        return {"status": "Accepted"}

    def signed(self, station: "OcppStation", asked: Told) -> Told:
        """Take the certificate that was asked for."""
        taken = self.take(asked["certificateChain"], asked.get("certificateType", OWN))
        return {"status": "Accepted" if taken else "Rejected"}

    def trigger(self, station: "OcppStation", asked: Told) -> Told:
        """Ask for a new certificate."""
        kinds = {"SignChargePointCertificate": OWN, "SignChargingStationCertificate": OWN, "SignV2GCertificate": V2G}
        kind = kinds.get(asked["requestedMessage"])
        if kind is None:
            return {"status": "NotImplemented"}
        told = {"csr": self.request(kind)}
        station.later("SignCertificate", told if station.version == "1.6" else {**told, "certificateType": kind})
        return {"status": "Accepted"}


def hash_data(pem: str) -> dict[str, str]:
    """Return how OCPP names a root, made by the hashes of an OCSP request. Source: RFC 6960, 4.1.1."""
    root = x509.load_pem_x509_certificate(pem.encode())
    made = ocsp.OCSPRequestBuilder().add_certificate(root, root, hashes.SHA256()).build()
    return {
        "hashAlgorithm": "SHA256", "issuerNameHash": made.issuer_name_hash.hex(),
        "issuerKeyHash": made.issuer_key_hash.hex(), "serialNumber": f"{made.serial_number:x}",
    }  # fmt: skip


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
