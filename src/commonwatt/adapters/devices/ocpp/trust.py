"""Certificates in stations: installed, listed, deleted and renewed, and a new root of ours brought to all of them."""

import ssl
from collections.abc import Mapping
from typing import Any

from cryptography import x509

from commonwatt.adapters.devices.ocpp.certificates import hash_data, pem
from commonwatt.adapters.devices.ocpp.frames import CallRefused
from commonwatt.adapters.devices.ocpp.gate import MUTUAL
from commonwatt.adapters.devices.ocpp.management import trigger
from commonwatt.adapters.devices.ocpp.server import Server
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.adapters.stores.keyfile import load_secret
from commonwatt.model import CommonwattError, InvalidValue, epoch

SERVER_ROOT, MAKER_ROOT = "CSMSRootCertificate", "ManufacturerRootCertificate"
OLD_NAMES = {SERVER_ROOT: "CentralSystemRootCertificate"}
"""What the white paper for OCPP 1.6 calls a kind otherwise than OCPP 2.x."""


async def install(station: Station, kind: str, certificate: x509.Certificate) -> str:
    """Make a station trust a root, and return an empty text, or why it does not.

    Args:
        station: Which.
        kind: As OCPP 2.x calls it: ``CSMSRootCertificate``, ``ManufacturerRootCertificate``, ``V2GRootCertificate``,
            ``MORootCertificate``, of 2.1 also ``OEMRootCertificate``.
        certificate: The root.

    Raises:
        Unreachable: The station gave no answer.
        InvalidValue: Its answer makes no sense, or its version knows no such kind.

    Source: OCPP 2.0.1 part 2, M05.
    """
    told = {"certificateType": _kind(station, kind), "certificate": pem(certificate)}
    return await _asked(station, "InstallCertificate", told)


async def installed(station: Station, kind: str | None = None) -> list[tuple[str, Mapping[str, Any]]]:
    """Return kind and hash data of the roots in a station.

    Raises:
        CallRefused: The station does not tell.
        Unreachable: The station gave no answer.
        InvalidValue: Its answer makes no sense.
    """
    if station.version == "1.6":
        kinds = (SERVER_ROOT, MAKER_ROOT) if kind is None else (kind,)
        found: list[tuple[str, Mapping[str, Any]]] = []
        for one in kinds:
            told = await station.call("GetInstalledCertificateIds", {"certificateType": _kind(station, one)})
            found += [(one, data) for data in told.get("certificateHashData") or ()]
        return found
    told = await station.call("GetInstalledCertificateIds", {} if kind is None else {"certificateType": [kind]})
    chains = told.get("certificateHashDataChain") or ()
    return [(str(one["certificateType"]), one["certificateHashData"]) for one in chains]


async def delete(station: Station, data: Mapping[str, Any]) -> str:
    """Make a station forget a certificate by its hash data, and return an empty text, or why it keeps it.

    Raises:
        Unreachable: The station gave no answer.
        InvalidValue: Its answer makes no sense.
    """
    return await _asked(station, "DeleteCertificate", {"certificateHashData": dict(data)})


async def renew(station: Station) -> str:
    """Ask a station for a request for a new certificate of its own; what comes is signed, and the answer returned.

    Raises:
        Unreachable: The station gave no answer.
        InvalidValue: Its answer makes no sense.

    Source: OCPP 2.0.1 part 2, A02.
    """
    message = "SignChargePointCertificate" if station.version == "1.6" else "SignChargingStationCertificate"
    return await trigger(station, message)


async def look_after(server: Server) -> list[str]:
    """Renew the server's certificate and those of stations that expire soon; return whose was asked to renew."""
    authority, gate = server.services.authority, server.gate
    if authority is None or gate is None:
        return []
    try:
        refresh(server)
    except (CommonwattError, OSError) as error:  # stations are looked after all the same
        server.services.note("", epoch(server.clock()), "CertificateNotRead", str(error))
    asked = []
    for station in list(server.stations.values()):
        name = server.services.names.get(station.id, station.id)
        if station.link is None or not station.registered or gate.needed(station.id) < MUTUAL:
            continue
        if authority.due(name):
            try:
                wrong = await renew(station)
            except CommonwattError as error:
                wrong = str(error)
            words = wrong or "asked for a request"
            server.services.note(station.id, epoch(server.clock()), "CertificateRenewal", words)
            asked.append(station.id)
    return asked


def refresh(server: Server, *, newest: bool = False) -> None:
    """Let new connections see our certificate and all roots, those that stand are not touched.

    Args:
        server: Ours.
        newest: Show a certificate of the newest root from now on: all stations have it.

    Raises:
        Refused: Others may read a key that was given.
        OSError: A file that was given is missing, or certificate and key do not belong together; nothing changes.
    """
    authority = server.services.authority
    if authority is None or server.tls is None:
        return
    if server.given is not None:
        certificate, key = server.given
        load_secret(key)  # refuses a key that others may read
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)  # half a change breaks nothing
        server.tls.load_cert_chain(certificate, key)
    else:
        server.tls.load_cert_chain(*authority.server_files(server.names, newest=newest))
    server.tls.load_verify_locations(cadata="".join(pem(root) for root in authority.roots))


async def rotate(server: Server) -> dict[str, str]:
    """Change over to a new root: bring it to every station that is there, and only then show a certificate of it.

    Returns:
        Per station an empty text, or why it does not have the new root yet. While one does not, the server shows its
        old certificate; call again when that station is there. A root that was made already is not made anew.

    Raises:
        InvalidValue: The server has no authority.

    Source: OCPP 2.0.1 part 2, M05 and A00.FR.507.
    """
    authority = server.services.authority
    if authority is None:
        raise InvalidValue("a server without an authority has no root to change")
    if len(authority.roots) == 1:
        authority.new_root()
    found = {}
    for station in list(server.stations.values()):
        if station.registered:
            try:
                found[station.id] = await install(station, SERVER_ROOT, authority.root)
            except CommonwattError as error:
                found[station.id] = str(error)
    refresh(server, newest=not any(found.values()))
    return found


async def finish_rotation(server: Server) -> dict[str, str]:
    """Forget old roots, ours and in stations; a certificate that they signed opens nothing any more.

    Returns:
        Per station an empty text, or why it keeps the old root.

    Raises:
        InvalidValue: A station has not the newest root yet, or only a certificate of an old one, or there is no
            authority. Nothing is forgotten then.
    """
    authority, gate = server.services.authority, server.gate
    if authority is None or gate is None:
        raise InvalidValue("a server without an authority has no root to change")
    if server.given is None and authority.server_root() != authority.root:
        raise InvalidValue("not all stations have the new root: rotate again when they are there")
    for station in server.stations.values():
        name = server.services.names.get(station.id, station.id)
        if station.registered and gate.needed(station.id) == MUTUAL and authority.due(name):
            raise InvalidValue(f"the certificate of station {station.id} is of an old root, or expires: renew it first")
    found = {}
    for old in authority.roots[:-1]:
        for station in list(server.stations.values()):
            if station.registered:
                try:
                    found[station.id] = await delete(station, hash_data(old, old))
                except CommonwattError as error:
                    found[station.id] = str(error)
        authority.retire(old)
    return found


def revoke(server: Server, id: str) -> int:
    """Revoke all certificates of a station and cut its connection; return how many there were.

    Raises:
        InvalidValue: The server has no authority.
    """
    authority = server.services.authority
    if authority is None:
        raise InvalidValue("a server without an authority has signed nothing")
    found = authority.revoke(server.services.names.get(id, id))
    server.services.note(id, epoch(server.clock()), "CertificateRevoked", f"{found} certificates")
    cut(server, id)
    return found


def cut(server: Server, id: str) -> None:
    """End the connection of a station: it has to come in anew."""
    station = server.stations.get(id)
    if station is not None and station.link is not None:
        station.link.transport.abort()


def _kind(station: Station, kind: str) -> str:
    return OLD_NAMES.get(kind, kind) if station.version == "1.6" else kind


async def _asked(station: Station, action: str, told: dict[str, Any]) -> str:
    try:
        status = (await station.call(action, told)).get("status")
    except CallRefused as refused:
        return f"the station refused: {refused}"
    return "" if status == "Accepted" else f"the station answered {status}"
