"""What we answer stations of OCPP 1.6."""

from collections.abc import Mapping

from commonwatt.adapters.devices.ocpp.evse import Evse, Session
from commonwatt.adapters.devices.ocpp.handlers import COMMON, Handler, Heard, Payload, nothing
from commonwatt.adapters.devices.ocpp.translate import moment, samples

UNKNOWN = "-1"
"""The id of a transaction that a station began without us, and that some never replace (EVerest/libocpp#495)."""


def status(heard: Heard, told: Payload) -> Payload:
    """Keep the status of a connector."""
    evse = heard.station.evse(told["connectorId"])
    evse.status, evse.error = told["status"], "" if told["errorCode"] == "NoError" else told["errorCode"]
    return {}


def authorize(heard: Heard, told: Payload) -> Payload:
    """Let everybody charge: who pays is settled elsewhere, by whoever sells the energy."""
    return {"idTagInfo": {"status": "Accepted"}}


def start(heard: Heard, told: Payload) -> Payload:
    """Give a transaction its number; one that is told again keeps the number that it has.

    The same start is one of the same connector, instant and register (matth-x/MicroOcpp#237).
    """
    station = heard.station
    evse = station.evse(told["connectorId"])
    began_s, wh = moment(told["timestamp"]), told["meterStart"]
    same = next((one for one in evse.sessions if (one.began_s, one.meter_start_wh) == (began_s, wh)), None)
    if same is None:
        station.last_id = max(station.last_id + 1, heard.now_s)
        for earlier in evse.sessions:
            earlier.ended = earlier.ended or earlier.began_s <= began_s  # a connector has one at a time
        same = evse.begin(str(station.last_id), began_s, wh, told["idTag"])
        if any(other.began_s > began_s for other in evse.sessions):
            same.ended = True  # told late, when the next one ran already
        evse.register(wh, began_s, heard.now_s, reset=True)
        station.remember(station)
    return {"transactionId": int(same.id), "idTagInfo": {"status": "Accepted"}}


def stop(heard: Heard, told: Payload) -> Payload:
    """End a transaction, once; one that nobody knows is answered all the same, or it is told for ever."""
    station = heard.station
    found = _stopped(heard, told)
    if found is None:
        station.note("StopTransaction of none that is known")
        return {}
    evse, session = found
    if not session.ended or session.meter_stop_wh is None:
        session.ended, session.meter_stop_wh = True, told["meterStop"]
        for sample in samples(told.get("transactionData") or ()):
            evse.take(sample, heard.now_s)
        evse.register(told["meterStop"], moment(told["timestamp"]), heard.now_s, reset=False)
        evse.rest(moment(told["timestamp"]))
        station.remember(station)
    return {}


def meter_values(heard: Heard, told: Payload) -> Payload:
    """Take what was measured, and learn of a transaction that began where we were not."""
    evse = heard.station.evse(told["connectorId"])
    taken = samples(told["meterValue"])
    id = told.get("transactionId")
    if id is not None and id > 0 and evse.find(str(id)) is None and taken:
        evse.begin(str(id), taken[0].at_s)
        heard.station.remember(heard.station)
    for sample in taken:
        evse.take(sample, heard.now_s)
    return {}


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
    "DiagnosticsStatusNotification": nothing,
}
"""Actions of OCPP 1.6 that stations may call."""
