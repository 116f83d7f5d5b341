"""A small certificate authority: certificates of our server and of stations, what was revoked, a change of root."""

import hashlib
import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from commonwatt.adapters.stores.keyfile import load_secret, passphrase, save_secret
from commonwatt.model import InvalidValue, Refused, epoch

CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-GCM-SHA384"
)
"""What OCPP 2.0.1 A00.FR.318 demands of TLS 1.2, and its likes with forward secrecy; TLS 1.3 brings its own."""
ROOT_LASTS, LEAF_LASTS, SERVER_LASTS = timedelta(days=3650), timedelta(days=365), timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)
EARLIER = timedelta(minutes=10)
"""A certificate is valid so long before it was made: a station's clock may be behind ours."""
SMALLEST_RSA, SMALLEST_EC = 2048, 256
LARGEST_CSR = 5500
STATION, V2G = "ChargingStationCertificate", "V2GCertificate"


class Issued(msgspec.Struct):
    """A certificate that was signed: for whom, until when, when it was revoked, and the name of the root that did."""

    name: str
    kind: str
    expires_s: int
    revoked_s: int | None = None
    root: str = ""


class Authority:
    """Our own authority in a folder: roots with their keys, the server's certificate, and a list of what was signed.

    The newest root signs. Older ones stay trusted until they are retired, so that stations change over one by one.

    Args:
        folder: Made where there is none; keys are encrypted and for their owner alone.
        clock: Our time.
        title: Common name of the roots.

    Raises:
        Refused: Others may read a key.
    """

    def __init__(self, folder: Path, clock: Callable[[], datetime], title: str = "commonwatt stations") -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self._clock, self._title = folder, clock, title
        self._words = passphrase(folder / "passphrase")
        path = folder / "issued.json"
        self.issued: dict[str, Issued] = {}
        if path.exists():
            self.issued = msgspec.json.decode(load_secret(path), type=dict[str, Issued])
        self.roots = [x509.load_pem_x509_certificate(load_secret(one)) for one in self._root_files()]
        if not self.roots:
            self.new_root()

    @property
    def root(self) -> x509.Certificate:
        """The root that signs."""
        return self.roots[-1]

    def new_root(self) -> x509.Certificate:
        """Make a root that signs from now on; the older ones stay trusted."""
        key = ec.generate_private_key(ec.SECP256R1())
        number = len(list(self._folder.glob("root-*.key"))) + 1
        name = _name(f"{self._title} root {number}")
        made = self._builder(name, None, key.public_key(), ROOT_LASTS)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        made = made.add_extension(_usage(ca=True), critical=True)
        certificate = made.sign(key, hashes.SHA256())
        save_secret(self._folder / f"root-{number:04}.key", _sealed(key, self._words))
        save_secret(self._folder / f"root-{number:04}.pem", pem(certificate).encode())
        self.roots.append(certificate)
        return certificate

    def retire(self, root: x509.Certificate) -> None:
        """Trust an old root no more.

        Raises:
            Refused: It is the one that signs.
        """
        if root == self.root:
            raise Refused("the root that signs cannot be retired", name=common_name(root))
        for path in self._root_files():
            if x509.load_pem_x509_certificate(load_secret(path)) == root:
                path.rename(path.with_suffix(".retired"))
        self.roots.remove(root)

    def sign(self, csr_pem: str, name: str, kind: str = STATION) -> x509.Certificate:
        """Sign a station's request, and keep that it was signed.

        Args:
            csr_pem: PKCS#10 as PEM, as SignCertificate has it.
            name: The common name that it must have.
            kind: `STATION`, which opens our own door, or `V2G`, which a station shows to cars.

        Raises:
            Refused: The request is none, its signature does not hold, its name is another, or its key is too weak.

        Source: RFC 2986; OCPP 2.0.1 part 2, A02 and A00.FR.500 to .512.
        """
        request = checked_request(csr_pem, name)
        made = self._builder(_name(name), self.root, request.public_key(), LEAF_LASTS)
        made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        made = made.add_extension(_usage(ca=False), critical=True)
        purpose = ExtendedKeyUsageOID.CLIENT_AUTH if kind == STATION else ExtendedKeyUsageOID.SERVER_AUTH
        made = made.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        certificate = made.sign(self._key(self.root), hashes.SHA256())
        expires_s = epoch(certificate.not_valid_after_utc.replace(microsecond=0))
        root = common_name(self.root)
        self.issued[_serial(certificate)] = Issued(name=name, kind=kind, expires_s=expires_s, root=root)
        self._keep()
        return certificate

    def revoke(self, name: str) -> int:
        """Revoke all certificates of a station, and return how many there were."""
        now_s, found = epoch(self._clock()), 0
        for one in self.issued.values():
            if one.name == name and one.revoked_s is None:
                one.revoked_s, found = now_s, found + 1
        self._keep()
        return found

    def withdraw(self, certificate: x509.Certificate) -> None:
        """Revoke one certificate: whoever it was made for said that it does not take it."""
        known = self.issued.get(_serial(certificate))
        if known is not None and known.revoked_s is None:
            known.revoked_s = epoch(self._clock())
            self._keep()

    def take_crl(self, crl_pem: bytes) -> int:
        """Take over what a revocation list of one of our roots says, and return how many it revokes.

        Raises:
            Refused: It is none, or none of our roots signed it.
        """
        try:
            crl = x509.load_pem_x509_crl(crl_pem)
        except ValueError as error:
            raise Refused("a revocation list is PEM", found=str(error)[:80]) from None
        signer = next((root for root in self.roots if root.subject == crl.issuer), None)
        key = None if signer is None else signer.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey) or not crl.is_signature_valid(key):
            raise Refused("a revocation list is signed by a root of ours", issuer=crl.issuer.rfc4514_string()[:80])
        for one in crl:
            known = self.issued.setdefault(f"{one.serial_number:x}", Issued(name="", kind=STATION, expires_s=0))
            known.revoked_s = known.revoked_s or epoch(one.revocation_date_utc.replace(microsecond=0))
        self._keep()
        return len(crl)

    def crl(self) -> bytes:
        """Return what is revoked as a list that others can check, as PEM."""
        now = self._clock()
        made = x509.CertificateRevocationListBuilder().issuer_name(self.root.subject)
        made = made.last_update(now).next_update(now + timedelta(days=7))
        for serial, one in self.issued.items():
            if one.revoked_s is not None:
                entry = x509.RevokedCertificateBuilder().serial_number(int(serial, 16))
                entry = entry.revocation_date(datetime.fromtimestamp(one.revoked_s, UTC))
                made = made.add_revoked_certificate(entry.build())
        return made.sign(self._key(self.root), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def is_revoked(self, certificate: x509.Certificate) -> bool:
        """Tell whether a certificate was revoked."""
        known = self.issued.get(_serial(certificate))
        return known is not None and known.revoked_s is not None

    def due(self, name: str, kind: str = STATION) -> bool:
        """Tell whether a station has no certificate of the root that signs which lasts for a while yet."""
        root = common_name(self.root)
        held = [
            one.expires_s
            for one in self.issued.values()
            if (one.name, one.kind, one.root) == (name, kind, root) and one.revoked_s is None
        ]
        return max(held, default=0) < epoch(self._clock()) + RENEW_BEFORE.total_seconds()

    def server_root(self) -> x509.Certificate:
        """Return the root of our server's certificate: an older one while not all stations have the newest."""
        path = self._folder / "server.pem"
        if not path.exists():
            return self.root
        held = x509.load_pem_x509_certificate(load_secret(path))
        return next((root for root in self.roots if root.subject == held.issuer), self.root)

    def server_files(self, names: Sequence[str], *, newest: bool = False) -> tuple[Path, Path, bytes]:
        """Return certificate, key and the key's passphrase of our server, made anew where the old expires soon.

        Args:
            names: Host names and addresses by which stations call us.
            newest: Of the root that signs; else of the root that the old one is of.
        """
        certificate, key = self._folder / "server.pem", self._folder / "server.key"
        signer = self.root if newest else self.server_root()
        if certificate.exists() and key.exists():
            held = x509.load_pem_x509_certificate(load_secret(certificate))
            lasts = held.not_valid_after_utc - self._clock() > RENEW_BEFORE
            if lasts and held.issuer == signer.subject and server_names(held) == set(names):
                return certificate, key, self._words
        private = ec.generate_private_key(ec.SECP256R1())
        made = self._builder(_name(names[0]), signer, private.public_key(), SERVER_LASTS)
        made = made.add_extension(x509.SubjectAlternativeName([_host(one) for one in names]), critical=False)
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        signed = made.sign(self._key(signer), hashes.SHA256())
        save_secret(key, _sealed(private, self._words))
        save_secret(certificate, pem(signed).encode())
        return certificate, key, self._words

    def _builder(
        self, subject: x509.Name, issuer: x509.Certificate | None, key: object, lasts: timedelta
    ) -> x509.CertificateBuilder:
        now = self._clock()
        assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
        by = subject if issuer is None else issuer.subject
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(by).public_key(key)
        made = made.serial_number(x509.random_serial_number())
        made = made.not_valid_before(now - EARLIER).not_valid_after(now + lasts)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key)
        if issuer is None:
            return made.add_extension(identifier, critical=False)
        own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
        return made.add_extension(identifier, critical=False).add_extension(authority, critical=False)

    def _key(self, root: x509.Certificate) -> ec.EllipticCurvePrivateKey:
        number = common_name(root).rpartition(" ")[2]
        data = load_secret(self._folder / f"root-{int(number):04}.key")
        key = serialization.load_pem_private_key(data, self._words)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key

    def _root_files(self) -> list[Path]:
        return sorted(self._folder.glob("root-*.pem"))

    def _keep(self) -> None:
        save_secret(self._folder / "issued.json", msgspec.json.encode(self.issued))


def server_context(
    certificate: Path, key: Path, words: bytes | None, roots: Sequence[x509.Certificate]
) -> ssl.SSLContext:
    """Return what our server speaks TLS with: 1.2 or newer, OCPP's ciphers, client certificates checked if they come.

    Args:
        certificate: Our chain, PEM.
        key: Its private key, PEM.
        words: The key's passphrase.
        roots: Who may sign client certificates; none: they are not asked for.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certificate, key, words)
    if roots:
        context.load_verify_locations(cadata="".join(pem(root) for root in roots))
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def checked_request(csr_pem: str, name: str) -> x509.CertificateSigningRequest:
    """Return a request for a certificate that may be signed.

    Raises:
        Refused: It is none, its signature does not hold, its name is another, or its key is too weak.
    """
    if len(csr_pem) > LARGEST_CSR:
        raise Refused("a request for a certificate is short", found=len(csr_pem))
    try:
        request = x509.load_pem_x509_csr(csr_pem.encode())
        holds, key = request.is_signature_valid, request.public_key()
        digest, found = request.signature_hash_algorithm, common_name(request)
    except (ValueError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise Refused("a request for a certificate is PKCS#10 in PEM", found=str(error)[:80]) from None
    if not holds:
        raise Refused("the signature of a request for a certificate holds", name=name)
    if found != name:
        raise Refused("a request for a certificate is in the station's own name", name=name, found=found[:60])
    if isinstance(digest, hashes.SHA1 | hashes.MD5):
        raise Refused("a request for a certificate is signed with SHA-256 or better", found=digest.name)
    strong = (isinstance(key, rsa.RSAPublicKey) and key.key_size >= SMALLEST_RSA) or (
        isinstance(key, ec.EllipticCurvePublicKey) and key.key_size >= SMALLEST_EC
    )
    if not strong:
        raise Refused("a key is RSA of 2048 bits or an elliptic curve of 256, or more", found=type(key).__name__)
    return request


def read_certificate(text: str) -> x509.Certificate:
    """Return a certificate in PEM.

    Raises:
        InvalidValue: It is none.
    """
    try:
        return x509.load_pem_x509_certificate(text.encode())
    except ValueError as error:
        raise InvalidValue(f"a certificate is PEM, was {text[:40]!r}: {error}") from None


def common_name(of: x509.Certificate | x509.CertificateSigningRequest) -> str:
    """Return the one common name of a subject; empty where there is none or are several."""
    found = of.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if len(found) == 1 else ""


def hash_data(certificate: x509.Certificate, issuer: x509.Certificate) -> dict[str, str]:
    """Return how OCPP names a certificate: hashes of its issuer's name and key, and its serial number.

    Source: OCPP 2.0.1 part 2, CertificateHashDataType; RFC 6960, 4.1.1.
    """
    spki = issuer.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": hashlib.sha256(certificate.issuer.public_bytes()).hexdigest(),
        "issuerKeyHash": hashlib.sha256(_key_bits(spki)).hexdigest(),
        "serialNumber": _serial(certificate),
    }


def pem(certificate: x509.Certificate) -> str:
    """Return a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def server_names(certificate: x509.Certificate) -> set[str]:
    """Return the hosts that a server's certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}


def _key_bits(spki: bytes) -> bytes:
    """Return the BIT STRING's content of a SubjectPublicKeyInfo in DER: a sequence of an algorithm and the bits."""

    def header(at: int) -> tuple[int, int]:
        length = spki[at + 1]
        if length < 0x80:
            return at + 2, length
        count = length & 0x7F
        return at + 2 + count, int.from_bytes(spki[at + 2 : at + 2 + count])

    inside, _ = header(0)
    algorithm, length = header(inside)
    bits, length = header(algorithm + length)
    return spki[bits + 1 : bits + length]


def _serial(certificate: x509.Certificate) -> str:
    return f"{certificate.serial_number:x}"


def _name(common: str) -> x509.Name:
    return x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "commonwatt"),
        x509.NameAttribute(NameOID.COMMON_NAME, common),
    ])  # fmt: skip


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=not ca, key_cert_sign=ca, crl_sign=ca, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _sealed(key: ec.EllipticCurvePrivateKey, words: bytes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(words)
    )
