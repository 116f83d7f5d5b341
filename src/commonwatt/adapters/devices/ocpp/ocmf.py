"""Signed meter values (OCMF) of charging stations: believed only if the key pinned at installation made them."""

import base64
import binascii
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
from pyocmf import OCMF, EnergyUnit, PublicKey, PyOCMFError, SpecWarning
from pyocmf import Payload as OcmfPayload
from pyocmf import Reading as OcmfReading

from commonwatt.model import InvalidValue, Refused

WH = {EnergyUnit.WH: Decimal(1), EnergyUnit.KWH: Decimal(1000)}
DOUBTFUL_LEVELS = ("MISMATCH", "INVALID", "OUTDATED", "UNKNOWN")
"""Assignments of a user that the station itself calls wrong (OCMF 1.2, table 5, "assignment error")."""
STATUS_WORDS = {
    "N": "meter not present",
    "T": "meter timed out",
    "D": "meter was disconnected",
    "R": "meter not found",
    "M": "meter was manipulated",
    "X": "meter was exchanged",
    "I": "meter is incompatible",
    "O": "value out of range",
    "S": "value is a substitute",
    "E": "meter has an error",
    "F": "meter could not be read",
}
ENDS = frozenset("ELRAP")
_OBIS = re.compile(r"^0?1-[0-9A-Fa-f]{1,2}:([0-9A-Fa-f]{1,2})\.0?8\.([0-9A-Za-z]{1,2})(?:[.*][0-9A-Fa-f]+)?$")
_IMPORT = frozenset({0x01, 0x98, 0x9E, *range(0xB0, 0xB4)})
_EXPORT = frozenset({0x02, *range(0xC0, 0xC4)})


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedReading:
    """One register of a signed record.

    Args:
        at: When, by the station's clock.
        time_status: How far that clock is to be believed: U unknown, I informative, S synchronised, R relative.
        mark: What it means to the transaction: B begins it, C and X lie within, E, L, R, A and P end it.
        register_wh: What the counter stood at, whole Wh.
        exports: Whether it counts what goes out of the car.
        obis: The register's name as it was signed.
    """

    at: datetime
    time_status: str
    mark: str
    register_wh: int
    exports: bool
    obis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRecord:
    """A record whose signature holds, with the bytes that prove it; ``user`` is whoever the station says began it."""

    meter: str
    context: str
    page: int
    level: str
    readings: tuple[SignedReading, ...]
    raw: str
    user: str = ""


class Notary:
    """Verifies the records of one meter, by the key that was read off it when it was installed.

    Args:
        meter: The serial number on the meter, as its records say it (MS, or GS where the gateway signs).
        public_key: DER, as hex or base64.
        rounds_down: Whether a register that shows parts of a Wh counts as its whole Wh; otherwise it is refused.
        pages: The last page seen of each context (T transactions, F fiscal), from the memory of whoever owns this.

    Raises:
        InvalidValue: The key is none.
    """

    def __init__(
        self,
        meter: str,
        public_key: str,
        *,
        rounds_down: bool = False,
        pages: Mapping[str, int] | None = None,
    ) -> None:
        try:
            self._key = PublicKey.from_string("".join(public_key.split()))
        except (PyOCMFError, ValueError) as error:
            raise InvalidValue(f"the pinned key of meter {meter} is no public key: {error}") from error
        self._meter, self._rounds_down = meter, rounds_down
        self.pages = dict(pages or {})

    @property
    def meter(self) -> str:
        """Serial number of the meter."""
        return self._meter

    def verify(self, raw: str) -> SignedRecord:
        """Return what a record says, and remember its page.

        Raises:
            Refused: As `read` does, or its page was seen before or is older than the last.
        """
        record = self.read(raw)
        self.note(record)
        return record

    def note(self, record: SignedRecord) -> None:
        """Remember a record's page.

        Raises:
            Refused: It was seen before, or is older than the last.
        """
        last = self.pages.get(record.context)
        if last is not None and record.page <= last:
            raise Refused("signed record seen before or older", meter=record.meter, page=record.page, last_page=last)
        self.pages[record.context] = record.page

    def read(self, raw: str) -> SignedRecord:
        """Return what a record says, be it new or not.

        The signature is checked over the very text between the bars. A key inside or beside the record proves
        nothing about who made it and is not looked at.

        Raises:
            Refused: The signature does not hold, the record is another meter's, or says what cannot be billed.

        Source: Open Charge Metering Format 1.2, S.A.F.E. e.V.
        """
        ocmf = _parsed(raw)
        self._check_signature(ocmf)
        payload = ocmf.payload
        meter = payload.MS or payload.GS or ""
        if meter != self._meter:
            raise Refused("signed record of another meter", pinned=self._meter, found=meter)
        level = _text(payload.IL)
        if level in DOUBTFUL_LEVELS:
            raise Refused("signed record with a doubtful user", meter=meter, level=level)
        context, page = _page(payload, meter)
        readings = tuple(_readings(payload.RD, meter, rounds_down=self._rounds_down))
        _check_rising(readings, meter)
        return SignedRecord(
            meter=meter, context=context, page=page, level=level, readings=readings, raw=raw, user=_text(payload.ID)
        )

    def _check_signature(self, ocmf: OCMF) -> None:
        try:
            holds = ocmf.verify_signature(self._key)
        except (PyOCMFError, ValueError) as error:
            raise Refused("signature cannot be checked", meter=self._meter, reason=error) from error
        if not holds:
            raise Refused("signature does not hold", meter=self._meter, key=self._key.curve.value)


def span(records: Iterable[SignedRecord]) -> tuple[int, int] | None:
    """Return what one imported register stood at when a transaction began and when it ended, in Wh.

    Args:
        records: Of one transaction, in the order in which they came.

    Returns:
        None where no register has both.

    Raises:
        Refused: Two registers have both and disagree, or one falls.
    """
    begun: dict[str, SignedReading] = {}
    ended: dict[str, SignedReading] = {}
    for record in records:
        for reading in record.readings:
            if reading.exports:
                continue
            if reading.mark == "B":
                begun.setdefault(reading.obis, reading)
            elif reading.mark in ENDS:
                ended[reading.obis] = reading
    spans = {obis: (begun[obis].register_wh, ended[obis].register_wh) for obis in begun if obis in ended}
    if len(set(spans.values())) > 1:
        raise Refused("ambiguous registers in signed records", found_wh=spans)
    for obis, (begin_wh, end_wh) in spans.items():
        if end_wh < begin_wh:
            raise Refused("signed register falls", obis=obis, found_wh=(begin_wh, end_wh))
    return next(iter(spans.values()), None)


def proving(records: Sequence[SignedRecord]) -> list[SignedRecord]:
    """Return of a transaction's records the one that begins it and the one that ends it, which may be the same."""
    begun = next((one for one in records if any(reading.mark == "B" for reading in one.readings)), None)
    ended = next((one for one in reversed(records) if any(reading.mark in ENDS for reading in one.readings)), None)
    both = (begun,) if begun is ended else (begun, ended)
    return [one for one in both if one is not None]


def signed_records(message: object) -> list[str]:
    """Return the OCMF records in a message of OCPP, in order, as they were signed.

    Args:
        message: MeterValues or StopTransaction of 1.6, MeterValues or TransactionEvent of 2.x, or a part of one;
            its keys may be spelt as on the wire or as Python spells them.

    Raises:
        Refused: A value says that it is signed and cannot be read as OCMF.
    """
    return list(_found(message, 0))


def _found(part: object, depth: int) -> Iterator[str]:
    if depth > 8:
        return
    if isinstance(part, Mapping):
        if part.get("format") == "SignedData":
            yield _of_text(str(part.get("value", "")))
            return
        signed = part.get("signedMeterValue", part.get("signed_meter_value"))
        if isinstance(signed, Mapping):
            yield _of_signed(signed)
        for name, inner in part.items():
            if name not in ("signedMeterValue", "signed_meter_value"):
                yield from _found(inner, depth + 1)
    elif isinstance(part, list | tuple):
        for inner in part:
            yield from _found(inner, depth + 1)


def _of_text(text: str) -> str:
    """Return the record in a value of OCPP 1.6: itself, in hexadecimal, or in the JSON object of 2.x as a string."""
    text = text.strip()
    if text.startswith("{"):
        try:
            signed = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise Refused("signed value is no JSON", found=text[:40]) from error
        return _of_signed(signed)
    return _of_data(text)


def _of_signed(signed: Mapping[str, object]) -> str:
    method = str(signed.get("encodingMethod", signed.get("encoding_method", "")))
    if "OCMF" not in method.upper():
        raise Refused("signed value is not OCMF", encoding=method or "none")
    return _of_data(str(signed.get("signedMeterData", signed.get("signed_meter_data", ""))).strip())


def _of_data(data: str) -> str:
    if data.startswith("OCMF|"):
        return data
    for decode in (bytes.fromhex, _unbase64):
        try:
            text = decode(data).decode("utf-8").strip()
        except (ValueError, binascii.Error):
            continue
        if text.startswith("OCMF|"):
            return text
    raise Refused("signed value is not OCMF", found=data[:40] or "nothing")


def _unbase64(data: str) -> bytes:
    return base64.b64decode(data, validate=True)


def _parsed(raw: str) -> OCMF:
    if not raw.startswith("OCMF|"):
        raise Refused("signed record is not OCMF", found=raw[:40] or "nothing")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SpecWarning)  # what matters of it is judged below, in our own words
            return OCMF.from_string(raw)
    # The library lets errors of its own making through for JSON of the wrong shape: KeyError for readings in an object.
    except (PyOCMFError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
        raise Refused("signed record cannot be read", reason=str(error).partition("\n")[0][:120]) from error


def _page(payload: OcmfPayload, meter: str) -> tuple[str, int]:
    found = re.fullmatch(r"([TF])([0-9]{1,18})", payload.PG or "")
    if found is None:
        raise Refused("signed record without a page", meter=meter, found=payload.PG)
    return found[1], int(found[2])


def _readings(readings: Sequence[OcmfReading], meter: str, *, rounds_down: bool) -> Iterator[SignedReading]:
    """Yield the energy registers of a record; seconds and the like beside them are left out."""
    told = 0
    for reading in readings:
        name = "" if reading.RI is None else str(reading.RI)
        match = _OBIS.match(name)
        group = int(match[1], 16) if match is not None else -1
        if group not in _IMPORT | _EXPORT:
            continue
        told += 1
        status = _text(reading.ST)
        if status != "G":
            raise Refused(
                STATUS_WORDS.get(status, "meter status is unknown"), meter=meter, obis=name, status=status or "none"
            )
        if "E" in (reading.EF or ""):
            raise Refused("meter flags its energy as faulty", meter=meter, obis=name)
        if reading.timestamp.tzinfo is None:
            raise Refused("signed reading without a time zone", meter=meter, found=reading.timestamp)
        yield SignedReading(
            at=reading.timestamp.astimezone(UTC),
            time_status=_text(reading.time_status),
            mark=_text(reading.TX),
            register_wh=_whole_wh(reading, meter, rounds_down=rounds_down),
            exports=group in _EXPORT,
            obis=name,
        )
    if not told:
        found = ", ".join(str(reading.RI) for reading in readings) or "no readings"
        raise Refused("signed record without a reading of energy", meter=meter, found=found)


def _whole_wh(reading: OcmfReading, meter: str, *, rounds_down: bool) -> int:
    if not isinstance(reading.RU, EnergyUnit):
        raise Refused("signed energy in another unit than Wh or kWh", meter=meter, found=reading.RU)
    if reading.RV is None or not reading.RV.is_finite() or not 0 <= reading.RV < 10**12:
        raise Refused("signed reading without a possible value", meter=meter, found=reading.RV)
    exact_wh = reading.RV * WH[reading.RU]
    if exact_wh != int(exact_wh) and not rounds_down:
        raise Refused("signed energy is no whole Wh", meter=meter, found_wh=exact_wh)
    return int(exact_wh)


def _check_rising(readings: Sequence[SignedReading], meter: str) -> None:
    for obis in {reading.obis for reading in readings}:
        registers = [reading.register_wh for reading in readings if reading.obis == obis]
        if registers != sorted(registers):
            raise Refused("signed register falls", meter=meter, obis=obis, found_wh=registers)


def _text(value: object) -> str:
    return "" if value is None else str(value)
