"""What we answer stations of OCPP 2.0.1 and 2.1."""

from collections.abc import Mapping

from commonwatt.adapters.devices.ocpp.counters import believed
from commonwatt.adapters.devices.ocpp.evse import Evse, Session
from commonwatt.adapters.devices.ocpp.handlers import (
    COMMON,
    Handler,
    Heard,
    Payload,
    log_status,
    nothing,
    records,
)
from commonwatt.adapters.devices.ocpp.monitors import monitors_in
from commonwatt.adapters.devices.ocpp.plug_and_charge import authorize, certificate_status, ev_certificate, told_2
from commonwatt.adapters.devices.ocpp.reservations import status_update
from commonwatt.adapters.devices.ocpp.services import use_reservation
from commonwatt.adapters.devices.ocpp.tokens import ACCEPTED, Verdict, same_token
from commonwatt.adapters.devices.ocpp.translate import moment, samples

NOWHERE = 0
"""Where a transaction is that has not said which of several EVSEs it is at; none has this number."""
MOST_CONNECTORS = 8
MOST_MONITORS, MOST_EVENTS = 500, 20
MOST_VARIABLES = 5_000
MOST_NAME, MOST_VALUE = 150, 2_500
"""As long as OCPP lets names and values of variables be: a station that tells longer ones fills no memory."""
"""A device model may hold so many variables; what comes on top is counted and not kept."""


def status(heard: Heard, told: Payload) -> Payload:
    """Keep the status of an EVSE's connector; another one of the same EVSE that is free hides none that is not."""
    evse = heard.station.evse(told["evseId"])
    evse.connectors[told["connectorId"]] = told["connectorStatus"]
    if len(evse.connectors) > MOST_CONNECTORS:
        del evse.connectors[next(iter(evse.connectors))]
    evse.status = next((one for one in evse.connectors.values() if one != "Available"), "Available")
    return {}


def transaction_event(heard: Heard, told: Payload) -> Payload:
    """Take an event of a transaction, whenever it comes; one that was heard already changes nothing."""
    station = heard.station
    info = told["transactionInfo"]
    at_s = believed(moment(told["timestamp"]), heard.now_s)
    measured = samples(told.get("meterValue") or (), station.note)
    evse, session = _session(heard, told, at_s)
    if evse.number == NOWHERE:
        measured = []  # whose register it is nobody knows yet
    newest = not session.seen or told["seqNo"] > session.seen[-1][1]
    if session.hear(told["seqNo"]):
        began = told["eventType"] == "Started"
        if began:
            session.began_s = at_s
            session.meter_start_wh = measured[0].import_wh if measured else None
        token = told["idToken"]["idToken"] if "idToken" in told else ""
        session.id_tag = session.id_tag or token
        session.sign(records(station, told))
        if token or "reservationId" in told:
            use_reservation(station, evse, token, told.get("reservationId"), heard.now_s)
        if newest and "chargingState" in info:
            session.state = info["chargingState"]
        if began and session is evse.session:
            evse.reset |= {"import", "export"}  # some meters start anew with each transaction
            evse.unheard = session.meter_start_wh is None
            station.begun.add(evse.number)
        for sample in measured:
            evse.take(sample, heard.now_s)
        if began:
            session.began_total_wh = evse.stood_wh(session.meter_start_wh) if not newest else evse.imported.total_wh
        if told["eventType"] == "Ended":
            session.ended_total_wh = evse.imported.total_wh
            session.ended = True
            session.meter_stop_wh = measured[-1].import_wh if measured else None
            evse.rest(at_s)
        station.remember(station)
    return _answer(heard, told, evse, session)


def meter_values(heard: Heard, told: Payload) -> Payload:
    """Take what was measured outside of transactions, or because we asked."""
    evse = heard.station.evse(told["evseId"])
    if evse.session is not None and (signed := records(heard.station, told)):
        evse.session.sign(signed)  # some say even those of a transaction so
        heard.station.remember(heard.station)
    for sample in samples(told["meterValue"]):
        evse.take(sample, heard.now_s)
    return {}


def notify_report(heard: Heard, told: Payload) -> Payload:
    """Keep the device model, as far as it is told."""
    model = heard.station.model
    for one in told.get("reportData") or ():
        component, variable = one["component"], one["variable"]
        evse = component.get("evse", {}).get("id")
        name = ".".join(str(part) for part in (component["name"], evse, variable["name"]) if part is not None)
        name = name[:MOST_NAME]
        if len(model) >= MOST_VARIABLES and name not in model:
            heard.station.note("device model too large")
            break
        values = [attribute.get("value") for attribute in one["variableAttribute"]]
        model[name] = values[0][:MOST_VALUE] if values and isinstance(values[0], str) else None
    if not told.get("tbc", False):
        heard.station.facts["reported"] = told["requestId"]
    return {}


def notify_event(heard: Heard, told: Payload) -> Payload:
    """Keep the last events of a station, each once however often it is told."""
    kept = heard.station.facts.get("events", [])
    heard.station.facts["events"] = [*kept, *(one for one in told["eventData"] if one not in kept)][-MOST_EVENTS:]
    return {}


def monitoring_report(heard: Heard, told: Payload) -> Payload:
    """Keep a piece of what the station watches; the last one says that it is whole."""
    kept = [*heard.station.facts.get("monitors", []), *monitors_in(told)]
    heard.station.facts["monitors"] = kept[-MOST_MONITORS:]
    if not told.get("tbc", False):
        heard.station.facts["reported"] = told["requestId"]
    return {}


def report_profiles(heard: Heard, told: Payload) -> Payload:
    """Keep which charging profiles a station says it has."""
    heard.station.facts["profiles"] = [*heard.station.facts.get("profiles", []), *told["chargingProfile"]][-50:]
    return {}


def charging_needs(heard: Heard, told: Payload) -> Payload:
    """Keep what a car says it needs."""
    heard.station.evse(told["evseId"]).wants = told["chargingNeeds"]
    return {"status": "Accepted"}


def charging_schedule(heard: Heard, told: Payload) -> Payload:
    """Accept what a car says it will do; nobody asks for it, so nothing of it is kept."""
    return {"status": "Accepted"}


def _answer(heard: Heard, told: Payload, evse: Evse, session: Session) -> Payload:
    """Say what holds of the token, and to OCPP 2.1 how much and how long a session of the ledger may take."""
    station, answer = heard.station, Payload()
    if "idToken" in told:
        token = told["idToken"]["idToken"]
        stops = same_token(token, session.id_tag) and session.ended
        verdict = (
            Verdict(ACCEPTED)
            if stops  # whoever began may stop, whatever became of the token meanwhile
            else heard.services.judge(station, token, heard.now_s, evse=evse, own=session)
        )
        answer["idTokenInfo"] = told_2(verdict)
    story = next((one for one in station.books.stories.values() if same_token(one.token, session.id_tag)), None)
    if station.version == "2.1" and story is not None and told["eventType"] == "Started":
        answer["transactionLimit"] = {
            "maxEnergy": story.most_wh, "maxTime": max(1, story.until_s - heard.now_s),
        }  # fmt: skip
    return answer


def _session(heard: Heard, told: Payload, at_s: int) -> tuple[Evse, Session]:
    """Return the transaction of an event, known or new; an event need not say where it is (lbbrhzn/ocpp#2135)."""
    station, id = heard.station, told["transactionInfo"]["transactionId"]
    number = told.get("evse", {}).get("id")
    for evse in station.evses.values():
        session = evse.find(id)
        if session is not None:
            if number in (None, evse.number):
                return evse, session
            its_own = station.evse(number)
            evse.sessions.remove(session)
            its_own.adopt(session)
            return its_own, session
    if number is None:
        known = [one for one in station.evses if one > 0] or [1]
        number = known[0] if len(known) == 1 else NOWHERE
        station.note("TransactionEvent without EVSE")
    evse = station.evse(number)
    session = evse.begin(id, at_s)
    if told["eventType"] != "Started" and session is evse.session:
        evse.begin_unheard()
    return evse, session


HANDLERS_201: Mapping[str, Handler] = {
    **COMMON,
    "StatusNotification": status,
    "Authorize": authorize,
    "TransactionEvent": transaction_event,
    "MeterValues": meter_values,
    "NotifyReport": notify_report,
    "NotifyEvent": notify_event,
    "ReportChargingProfiles": report_profiles,
    "NotifyEVChargingNeeds": charging_needs,
    "NotifyEVChargingSchedule": charging_schedule,
    "NotifyMonitoringReport": monitoring_report,
    "LogStatusNotification": log_status,
    "ReservationStatusUpdate": status_update,
    "Get15118EVCertificate": ev_certificate,
    "GetCertificateStatus": certificate_status,
    "NotifyChargingLimit": nothing,
    "ClearedChargingLimit": nothing,
}
"""Actions of OCPP 2.0.1 that stations may call."""
HANDLERS_21: Mapping[str, Handler] = HANDLERS_201
"""Actions of OCPP 2.1 that stations may call."""
