"""What we answer stations, a table per version: whoever adds an action adds a function and a line."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography import x509

from commonwatt.adapters.devices.ocpp.certificates import STATION, V2G, Authority, pem
from commonwatt.adapters.devices.ocpp.frames import CallRefused
from commonwatt.adapters.devices.ocpp.ocmf import signed_records
from commonwatt.adapters.devices.ocpp.services import Services
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.adapters.devices.ocpp.telling import nameplate_of
from commonwatt.adapters.devices.ocpp.translate import moment, stamp
from commonwatt.model import InvalidValue, Refused, Unreachable, epoch


@dataclass(frozen=True, slots=True)
class Heard:
    """What a handler gets beside the payload: who said it, and when by our clock."""

    station: Station
    now: datetime
    services: Services = field(default_factory=Services)
    heartbeat_s: int = 300

    @property
    def now_s(self) -> int:
        """Seconds since 1970."""
        return epoch(self.now)


Payload = dict[str, Any]
Handler = Callable[[Heard, Payload], Payload | Coroutine[Any, Any, Payload]]
"""One that has to ask others answers later; the station is heard meanwhile."""


def boot(heard: Heard, told: Payload) -> Payload:
    """Welcome a station that we know; keep a stranger waiting until somebody registers it."""
    station = heard.station
    station.boot, station.nameplate = told, nameplate_of(told)
    station.remember(station)  # it says so again at its next boot only, and we may be started anew before
    numbers = {name: count for name, count in station.facts.items() if name in NUMBERS}
    station.facts.clear()  # what it could do before its restart may have been another firmware's
    station.facts |= numbers  # what we counted goes on, or an answer to an earlier question looks like a new one
    for evse in station.evses.values():
        evse.reset |= {"import", "export"}
    station.booted = station.registered
    return {
        "status": "Accepted" if station.registered else "Pending",
        "currentTime": stamp(heard.now),
        "interval": heard.heartbeat_s if station.registered else 60,
    }


def heartbeat(heard: Heard, told: Payload) -> Payload:
    """Tell the time."""
    return {"currentTime": stamp(heard.now)}


def nothing(heard: Heard, told: Payload) -> Payload:
    """Take note, which is all that the answer can say."""
    return {}


def data_transfer(heard: Heard, told: Payload) -> Payload:
    """Refuse what vendors add of their own; none of it is known here."""
    return {"status": "UnknownVendorId"}


def security_event(heard: Heard, told: Payload) -> Payload:
    """Keep a security event with its time by the station's own clock."""
    heard.services.note(heard.station.id, moment(told["timestamp"]), told["type"], told.get("techInfo", ""))
    return {}


def firmware_status(heard: Heard, told: Payload) -> Payload:
    """Keep how far a new firmware is; of 1.6 it is the one that was asked for last."""
    firmware = heard.station.books.firmware
    if firmware is not None and told.get("requestId", firmware.request) == firmware.request:
        firmware.state, firmware.told_s = told["status"], heard.now_s
        heard.station.remember(heard.station)
    return {}


def log_status(heard: Heard, told: Payload) -> Payload:
    """Keep how far a log is on its way; of 1.6 it is the one that was asked for last."""
    uploads = heard.station.books.uploads
    upload = uploads.get(told.get("requestId", max(uploads, default=0)))
    if upload is not None:
        upload.state = told["status"]
        heard.station.remember(heard.station)
    return {}


def sign_certificate(heard: Heard, told: Payload) -> Payload:
    """Sign a station's request if it may be signed, and send the certificate once this is answered."""
    kind = told.get("certificateType", STATION)
    services, station = heard.services, heard.station
    authority = services.authority if kind == STATION else services.v2g if kind == V2G else None
    if authority is None:
        return _rejected(station, "NoAuthority", f"no {kind} is signed here")
    try:
        certificate = authority.sign(told["csr"], services.names.get(station.id, station.id), kind)
    except Refused as refused:
        services.note(station.id, heard.now_s, "InvalidCsr", str(refused))
        return _rejected(station, "InvalidCsr", str(refused))
    payload = {"certificateChain": pem(certificate)}
    if station.version != "1.6":
        payload["certificateType"] = kind
    if "requestId" in told:
        payload["requestId"] = told["requestId"]
    services.later(_hand_over(heard, payload, authority, certificate))
    return {"status": "Accepted"}


async def _hand_over(heard: Heard, payload: Payload, authority: Authority, certificate: x509.Certificate) -> None:
    try:
        told = await heard.station.call("CertificateSigned", payload)
        words = str(told.get("status"))
        if words != "Accepted":
            authority.withdraw(certificate)  # or it would count as the one that the station has
    except (CallRefused, InvalidValue, Unreachable) as error:
        words = str(error)
    kind = "CertificateSigned" if words == "Accepted" else "CertificateNotTaken"
    heard.services.note(heard.station.id, heard.now_s, kind, f"{certificate.serial_number:x}: {words}")


def records(station: Station, told: Payload) -> list[str]:
    """Return the signed meter values in a message; what calls itself signed and is none is counted."""
    found: list[str] = []
    for part in told.get("meterValue") or told.get("transactionData") or ():
        for value in part["sampledValue"]:
            try:
                found += signed_records([value])
            except Refused:
                station.note("signed value that cannot be read")
    return found


def _rejected(station: Station, code: str, words: str) -> Payload:
    if station.version == "1.6":
        return {"status": "Rejected"}
    return {"status": "Rejected", "statusInfo": {"reasonCode": code, "additionalInfo": words[:512]}}


COMMON: Mapping[str, Handler] = {
    "BootNotification": boot,
    "Heartbeat": heartbeat,
    "DataTransfer": data_transfer,
    "SecurityEventNotification": security_event,
    "FirmwareStatusNotification": firmware_status,
    "SignCertificate": sign_certificate,
}
"""What all versions have alike."""
MUST_LAST = frozenset({"StartTransaction", "StopTransaction", "TransactionEvent"})
"""What is on the disk before it is answered: an answer tells the station to forget it."""
NUMBERS = frozenset({"remote start", "report asked"})
"""Facts that number what we ask: a restart of the station begins none of them anew."""
WHILE_PENDING = frozenset({"BootNotification", "Heartbeat"})
"""What a station that waits to be known may say."""
