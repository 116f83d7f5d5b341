"""Certificates for a site that has none: an authority of its own, which can sign for this site's names alone.

Source: RFC 5280, sections 4.2.1.9 (basic constraints) and 4.2.1.10 (name constraints); RFC 6125.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address, ip_network

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from commonwatt.model import Corrupt, InvalidValue, instant

AUTHORITY_DAYS = 3_650
SERVER_DAYS = 397
"""Browsers believe no server's certificate for longer."""
RENEW_BEFORE_DAYS = 30
_BACK = timedelta(hours=1)
"""Clocks of phones are not all right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and its key, PEM."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return "Pair(...)"


def make_authority(community: str, names: Sequence[str], now_s: int) -> Pair:
    """Return an authority that can sign for some names alone: whoever steals it gains no other site.

    Args:
        community: Its name, for people who look at what they trust.
        names: Host names and addresses.
        now_s: Seconds since 1970.

    Raises:
        InvalidValue: A name is none.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{community} on this network"[:64])])
    permitted = [_constraint(name) for name in names]
    builder = (
        _begun(subject, subject, key, now_s, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .add_extension(_usage(authority=True), critical=True)
    )
    return _pair(builder.sign(key, hashes.SHA256()), key)


def make_server(authority: Pair, names: Sequence[str], now_s: int) -> Pair:
    """Return a server's certificate for names, signed by an authority; the pair's certificate holds both.

    Raises:
        InvalidValue: A name is none.
        Corrupt: The authority cannot be read.
    """
    issuer, signer = _read(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    builder = (
        _begun(subject, issuer.subject, key, now_s, SERVER_DAYS)
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    made = _pair(builder.sign(signer, hashes.SHA256()), key)
    return Pair(certificate=made.certificate + authority.certificate, key=made.key)


def serves(pair: Pair, names: Sequence[str], now_s: int) -> bool:
    """Tell whether a server's certificate is for just these names and not about to end.

    Raises:
        Corrupt: It cannot be read.
    """
    certificate, _ = _read(pair)
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    return set(found) == {_name(name) for name in names} and _lasts(certificate, now_s)


def authorises(pair: Pair, names: Sequence[str], now_s: int) -> bool:
    """Tell whether an authority can sign for just these names and is not about to end.

    Raises:
        Corrupt: It cannot be read.
    """
    certificate, _ = _read(pair)
    try:
        certificate.verify_directly_issued_by(certificate)
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except (x509.ExtensionNotFound, InvalidSignature, ValueError, TypeError):
        return False
    permitted = set(found.permitted_subtrees or ())
    return permitted == {_constraint(name) for name in names} and _lasts(certificate, now_s, SERVER_DAYS)


def _lasts(certificate: x509.Certificate, now_s: int, days: int = 0) -> bool:
    return certificate.not_valid_after_utc >= instant(now_s) + timedelta(days=days + RENEW_BEFORE_DAYS)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now_s: int, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(instant(now_s) - _BACK)
        .not_valid_after(instant(now_s) - _BACK + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    if not name or not name.isascii() or any(letter not in _LETTERS for letter in name.lower()):
        raise InvalidValue(f"a certificate is for host names and addresses, was {name[:80]!r}")
    return x509.DNSName(name.lower())


def _constraint(name: str) -> x509.GeneralName:
    found = _name(name)
    return x509.IPAddress(ip_network(found.value)) if isinstance(found, x509.IPAddress) else found


_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-.")


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(certificate=certificate.public_bytes(Encoding.PEM), key=pem)


def _read(pair: Pair) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate)
        key = load_pem_private_key(pair.key, None)
    except (ValueError, TypeError) as error:
        raise Corrupt(f"a certificate and its key are PEM: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise Corrupt("a certificate belongs to the key beside it")
    return certificate, key
