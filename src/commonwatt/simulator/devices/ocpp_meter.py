"""A meter in a simulated charging station that signs what it shows, as records of the Open Charge Metering Format."""

import json
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from commonwatt.model import instant


@dataclass(slots=True, kw_only=True)
class SigningMeter:
    """A meter with a key of its own, P-256.

    Args:
        serial: Its number.
        key: Never leaves it.
        page: Of the last record; each has the next.
    """

    serial: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    page: int = 0

    @property
    def public_key(self) -> str:
        """What is printed on it: its public key, DER in hexadecimal."""
        encoding, shape = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(encoding, shape).hex()

    def sign(self, mark: str, at_s: int, register_wh: int, user: str) -> str:
        """Return a signed record of what it shows.

        Args:
            mark: B where a transaction begins, E where it ends.
            at_s: When.
            register_wh: What its register of import shows.
            user: Token of whoever began.

        Source: Open Charge Metering Format 1.2, S.A.F.E. e.V.
        """
        self.page += 1
        reading = {
            "TM": f"{instant(at_s):%Y-%m-%dT%H:%M:%S},000+0000 S", "TX": mark, "RV": register_wh,
            "RI": "1-b:1.8.0", "RU": "Wh", "ST": "G",
        }  # fmt: skip
        payload = json.dumps(
            {"FV": "1.0", "GI": "commonwatt", "GS": self.serial, "PG": f"T{self.page}", "MS": self.serial, "IS": True,
             "IL": "HEARSAY", "IT": "CENTRAL", "ID": user, "RD": [reading]}
        )  # fmt: skip
        made = self.key.sign(payload.encode(), ec.ECDSA(hashes.SHA256()))
        return f"OCMF|{payload}|" + json.dumps({"SA": "ECDSA-secp256r1-SHA256", "SD": made.hex()})
