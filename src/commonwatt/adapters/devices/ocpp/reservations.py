"""Keeps an EVSE free for one token for a while."""

from datetime import datetime

from commonwatt.adapters.devices.ocpp.books import Reservation
from commonwatt.adapters.devices.ocpp.frames import CallRefused
from commonwatt.adapters.devices.ocpp.handlers import Heard, Payload
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.adapters.devices.ocpp.translate import stamp
from commonwatt.model import InvalidValue, epoch

WORDS = {
    "Faulted": "the connector has a fault",
    "Occupied": "the connector is occupied or reserved already",
    "Rejected": "the station takes no reservations",
    "Unavailable": "the connector is out of service",
}


async def reserve(
    station: Station, token: str, until: datetime, *, evse: int | None = None, group: str = "", kind: str = "ISO14443"
) -> tuple[int, str]:
    """Keep an EVSE, or any of a station's, for a token until an instant.

    Returns:
        The number of the reservation and an empty text, or 0 and why there is none.

    Raises:
        Unreachable: The station gave no answer.
        InvalidValue: Its answer makes no sense.

    Source: OCPP 1.6 5.13; OCPP 2.0.1 part 2, H01.
    """
    number = station.books.number()
    if station.version == "1.6":
        asked: Payload = {"reservationId": number, "connectorId": evse or 0, "idTag": token, "expiryDate": stamp(until)}
        if group:
            asked["parentIdTag"] = group
    else:
        asked = {"id": number, "expiryDateTime": stamp(until), "idToken": {"idToken": token, "type": kind}}
        if evse is not None:
            asked["evseId"] = evse
        if group:
            asked["groupIdToken"] = {"idToken": group, "type": "Central"}
    try:
        status = str((await station.call("ReserveNow", asked)).get("status"))
    except CallRefused as refused:
        return 0, f"the station refused: {refused}"
    if status != "Accepted":
        return 0, WORDS.get(status, f"the station answered {status}")
    station.books.reserve(number, Reservation(evse=evse, token=token, until_s=epoch(until), group=group))
    station.remember(station)
    return number, ""


async def cancel(station: Station, number: int) -> str:
    """Give a reservation up, and return an empty text, or why it stands.

    Raises:
        Unreachable: The station gave no answer.
        InvalidValue: Its answer makes no sense, or there is no such reservation.
    """
    known = station.books.reservations.get(number)
    if known is None:
        raise InvalidValue(f"station {station.id} has no reservation {number}")
    try:
        status = (await station.call("CancelReservation", {"reservationId": number})).get("status")
    except CallRefused as refused:
        return f"the station refused: {refused}"
    if status != "Accepted" and known.state == "standing":
        return "the station knows no such reservation"
    if known.state == "standing":
        known.state = "cancelled"
        station.remember(station)
    return ""


def status_update(heard: Heard, told: Payload) -> Payload:
    """Take it that a station of OCPP 2.x let a reservation expire, or removed it."""
    known = heard.station.books.reservations.get(told["reservationId"])
    if known is not None and known.state == "standing":
        known.state = "expired" if told["reservationUpdateStatus"] == "Expired" else "removed"
        heard.station.remember(heard.station)
    return {}
