"""What we answer stations of OCPP 1.6."""

from collections.abc import Mapping

from commonwatt.adapters.devices.ocpp.counters import believed
from commonwatt.adapters.devices.ocpp.evse import Evse, Session
from commonwatt.adapters.devices.ocpp.handlers import (
    COMMON,
    Handler,
    Heard,
    Payload,
    firmware_status,
    log_status,
    records,
)
from commonwatt.adapters.devices.ocpp.services import use_reservation
from commonwatt.adapters.devices.ocpp.tokens import Verdict
from commonwatt.adapters.devices.ocpp.translate import moment, register, samples, stamp
from commonwatt.model import instant

UNKNOWN = "-1"
"""The id of a transaction that a station began without us, and that some never replace (EVerest/libocpp#495)."""
CLOCKS_FROM_S = 1_262_304_000
"""A station that tells a time before 2010 has no clock: many things happen at that one instant."""


def status(heard: Heard, told: Payload) -> Payload:
    """Keep the status of a connector."""
    evse = heard.station.evse(told["connectorId"])
    evse.status, evse.error = told["status"], "" if told["errorCode"] == "NoError" else told["errorCode"]
    return {}


def authorize(heard: Heard, told: Payload) -> Payload:
    """Say whether a token may charge."""
    return {"idTagInfo": told_16(heard.services.judge(heard.station, told["idTag"], heard.now_s))}


def start(heard: Heard, told: Payload) -> Payload:
    """Give a transaction its number; one that is told again keeps the number that it has.

    The same start is one of the same connector, instant and register (matth-x/MicroOcpp#237).
    """
    station = heard.station
    evse = station.evse(told["connectorId"])
    told_s, wh = moment(told["timestamp"]), register(told["meterStart"])
    began_s, key = believed(told_s, heard.now_s), (told_s, str(told["meterStart"])[:20])
    same = next((one for one in reversed(evse.sessions) if one.told == key), None)
    if same is None or (told_s < CLOCKS_FROM_S and same.meter_stop_wh is not None):
        station.last_id = max(station.last_id + 1, heard.now_s)
        for earlier in evse.sessions:
            earlier.ended = earlier.ended or earlier.began_s <= began_s  # a connector has one at a time
        same = evse.begin(str(station.last_id), began_s, wh, told["idTag"])
        same.told = key
        if any(other.began_s > began_s for other in evse.sessions):
            same.ended = True  # told late, when the next one ran already
        _register(heard, evse, wh, began_s, reset=True)
        same.began_total_wh = evse.imported.total_wh
        use_reservation(station, evse, told["idTag"], told.get("reservationId"), heard.now_s)
        if not same.ended:
            station.begun.add(evse.number)
        station.remember(station)
    verdict = heard.services.judge(station, told["idTag"], heard.now_s, evse=evse, own=same)
    return {"transactionId": int(same.id), "idTagInfo": told_16(verdict)}


def stop(heard: Heard, told: Payload) -> Payload:
    """End a transaction, once; one that nobody knows is answered all the same, or it is told for ever."""
    station = heard.station
    found = _stopped(heard, told)
    if found is None:
        station.note("StopTransaction of none that is known")
        return {}
    evse, session = found
    if not session.ended or session.meter_stop_wh is None:
        ended_s, wh = believed(moment(told["timestamp"]), heard.now_s), register(told["meterStop"])
        measured = samples(told.get("transactionData") or (), station.note)
        session.ended, session.meter_stop_wh = True, wh
        session.sign(records(station, told))
        for sample in measured:
            evse.take(sample, heard.now_s)
        _register(heard, evse, wh, ended_s, reset=False)
        session.ended_total_wh = evse.imported.total_wh
        evse.rest(ended_s)
        station.remember(station)
    return {}


def meter_values(heard: Heard, told: Payload) -> Payload:
    """Take what was measured, and learn of a transaction that began where we were not."""
    evse = heard.station.evse(told["connectorId"])
    taken = samples(told["meterValue"])
    id = told.get("transactionId")
    if id is not None and id > 0 and evse.find(str(id)) is None and taken:
        if evse.begin(str(id), believed(taken[0].at_s, heard.now_s)) is evse.session:
            evse.begin_unheard()
        heard.station.remember(heard.station)
    session = evse.session if id is None or id <= 0 else evse.find(str(id))  # signed ones may come after its end
    if session is not None and (signed := records(heard.station, told)):
        session.sign(signed)
        heard.station.remember(heard.station)
    for sample in taken:
        evse.take(sample, heard.now_s)
    return {}


def told_16(verdict: Verdict) -> Payload:
    """Return a verdict as OCPP 1.6 says it."""
    info: Payload = {"status": verdict.status}
    if verdict.expires_s is not None:
        info["expiryDate"] = stamp(instant(verdict.expires_s))
    if verdict.group:
        info["parentIdTag"] = verdict.group
    return info


def _register(heard: Heard, evse: Evse, wh: int | None, at_s: int, *, reset: bool) -> None:
    """Take what the import register showed; a number that none can show is counted and not used."""
    if wh is None:
        heard.station.note("register that no meter shows")
        if reset:
            evse.begin_unheard()
    else:
        evse.register(wh, at_s, heard.now_s, reset=reset)


def _stopped(heard: Heard, told: Payload) -> tuple[Evse, Session] | None:
    """Return whose end is told; without a number it is the one that is open and can have ended at that register."""
    id = str(told["transactionId"])
    both = [(evse, session) for evse in heard.station.evses.values() for session in evse.sessions]
    if id != UNKNOWN:
        return next((one for one in both if one[1].id == id), None)
    fitting = [(evse, one) for evse, one in both if not one.ended and (one.meter_start_wh or 0) <= told["meterStop"]]
    by_tag = [one for one in fitting if one[1].id_tag and one[1].id_tag == told.get("idTag")]
    candidates = by_tag or fitting
    return candidates[0] if len(candidates) == 1 else None


HANDLERS_16: Mapping[str, Handler] = {
    **COMMON,
    "StatusNotification": status,
    "Authorize": authorize,
    "StartTransaction": start,
    "StopTransaction": stop,
    "MeterValues": meter_values,
    "DiagnosticsStatusNotification": log_status,
    "LogStatusNotification": log_status,
    "SignedFirmwareStatusNotification": firmware_status,
}
"""Actions of OCPP 1.6 that stations may call."""
