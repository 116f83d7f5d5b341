"""What the app says in somebody's language: texts, money, energy, power and time as people there read them."""

import gettext
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale, dates, numbers

from commonwatt.model import InvalidValue

LOCALE_FOLDER: Final = Path(__file__).parent / "locale"
LANGUAGES: Final[Mapping[str, str]] = MappingProxyType({"en": "English", "de": "Deutsch", "es": "Español"})
_LOCALES: Final = MappingProxyType({"en": "en_GB", "de": "de_DE", "es": "es_ES"})
# What a hundredth of a currency is called where prices of energy are told in it.
_HUNDREDTHS: Final = MappingProxyType({"GBP": "p", "EUR": "ct"})
_MICRO: Final = 1_000_000
_NO_BREAK: Final = "\N{NO-BREAK SPACE}"
_MINUS: Final = "\N{MINUS SIGN}"


def mark(message: str) -> str:
    """Mark a text for translation where no language is known yet; `Words.say` translates it later."""
    return message


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a community is: its name, its clocks, its money.

    Args:
        name: What its members call it.
        zone: Its time zone.
        currency: ISO 4217 code of what one ERGON is worth one of; of none where no money is spoken of.
    """

    name: str
    zone: ZoneInfo
    currency: str = "XXX"


@dataclass(frozen=True, slots=True)
class Words:
    """One language in one place; all methods return text for people, never markup.

    Args:
        language: One of `LANGUAGES`.
        place: Whose clocks and money are shown.

    Raises:
        InvalidValue: There is no such language.
    """

    language: str
    place: Place
    locale: Locale = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise InvalidValue(f"the app speaks {', '.join(LANGUAGES)}, was {self.language!r}")
        object.__setattr__(self, "locale", Locale.parse(_LOCALES[self.language]))

    def say(self, message: str, **values: object) -> str:
        """Translate a text and put values into its ``{names}``."""
        return _catalog(self.language).gettext(message).format(**values)

    def say_many(self, one: str, many: str, n: int, **values: object) -> str:
        """Translate a text that counts; ``{n}`` is written as numbers are here."""
        return _catalog(self.language).ngettext(one, many, n).format(n=self.number(n), **values)

    def number(self, value: float | Decimal, digits: int = 0) -> str:
        """Write a number with so many digits after the point."""
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        text: str = numbers.format_decimal(value, format=pattern, locale=self.locale)
        return text.replace("-", _MINUS)

    def percent(self, part: float) -> str:
        """Write a part of one as percent, whole."""
        text: str = numbers.format_percent(part, format="#,##0 %" if self.language != "en" else "#,##0%")
        return text.replace("-", _MINUS).replace(" ", _NO_BREAK)

    def energy(self, energy_wh: int) -> str:
        """Write Wh as Wh, kWh or MWh, so that two to four digits are read."""
        return self._scaled(energy_wh, "Wh")

    def power(self, power_w: int) -> str:
        """Write W as W, kW or MW."""
        return self._scaled(power_w, "W")

    def kilowatts(self, power_w: int) -> str:
        """Write W as kW with one digit after the point: for numbers that move and must not jump between units."""
        return f"{self.number(Decimal(power_w) / 1000, 1)}{_NO_BREAK}kW"

    def money(self, money_micro: int, *, signed: bool = False) -> str:
        """Write millionths of a currency unit as money, to its smallest coin; signed shows a plus as well."""
        text: str = numbers.format_currency(Decimal(money_micro) / _MICRO, self.place.currency, locale=self.locale)
        text = text.replace("-", _MINUS)
        return f"+{text}" if signed and money_micro > 0 else text

    def exactly(self, money_micro: int, *, signed: bool = False) -> str:
        """Write money, and less than the smallest coin in parts of it, so that none of it reads as nothing."""
        hundredth = _HUNDREDTHS.get(self.place.currency)
        if hundredth is None or not 0 < abs(money_micro) < _MICRO // 100:
            return self.money(money_micro, signed=signed)
        plus = "+" if signed and money_micro > 0 else ""
        return f"{plus}{self.number(Decimal(money_micro) / (_MICRO // 100), 2)}{_NO_BREAK}{hundredth}"

    def coins(self, whole: int) -> str:
        """Write whole units of money without their hundredths, as in 20 of them on a banknote."""
        pattern = self.locale.currency_formats["standard"].pattern.replace(".00", "")
        text: str = numbers.format_currency(
            whole, self.place.currency, format=pattern, locale=self.locale, currency_digits=False
        )
        return text

    def price(self, price_micro_per_kwh: int) -> str:
        """Write a price of energy in hundredths of the currency where people say so, as in 24.5 p/kWh."""
        hundredth = _HUNDREDTHS.get(self.place.currency)
        if hundredth is None:
            return f"{self.money(price_micro_per_kwh)}/kWh"
        return f"{self.number(Decimal(price_micro_per_kwh) / (_MICRO // 100), 1)}{_NO_BREAK}{hundredth}/kWh"

    def tokens(self, units: int, token: str, digits: int) -> str:
        """Write base units of a token, which has so many digits after the point, to three of them at most."""
        shown = min(digits, 3)
        return f"{self.number(Decimal(units) / 10**digits, shown)}{_NO_BREAK}{token}"

    def carbon(self, carbon_mg: int, *, signed: bool = False) -> str:
        """Write mg of CO2 equivalents as g or kg; signed shows a plus as well."""
        grams = Decimal(carbon_mg) / 1_000
        large = abs(grams) >= 1_000
        text = self.number(grams / 1_000 if large else grams, 1 if large else 0)
        plus = "+" if signed and round(grams) > 0 else ""
        return f"{plus}{text}{_NO_BREAK}{'kg' if large else 'g'}"

    def local(self, at_s: int) -> datetime:
        """Return an instant as the place's clocks show it."""
        return datetime.fromtimestamp(at_s, self.place.zone)

    def clock(self, at_s: int) -> str:
        """Write the time of day, as in 17:30."""
        return str(dates.format_time(self.local(at_s), "HH:mm", locale=self.locale))

    def seconds(self, at_s: int) -> str:
        """Write the time of day with seconds, as in 17:30:05."""
        return str(dates.format_time(self.local(at_s), "HH:mm:ss", locale=self.locale))

    def day(self, at_s: int) -> str:
        """Write the date, as in Thu 23 Apr."""
        pattern = {"en": "EEE d MMM", "de": "EEE d. MMM", "es": "EEE d MMM"}[self.language]
        return str(dates.format_date(self.local(at_s), pattern, locale=self.locale))

    def month(self, month: str) -> str:
        """Write a month that is told as YYYY-MM, as in November 2018."""
        first = datetime.fromisoformat(f"{month}-01")
        return str(dates.format_date(first, "LLLL yyyy", locale=self.locale))

    def instant(self, at_s: int) -> str:
        """Write date and time of day, as in Thu 23 Apr, 17:30."""
        return f"{self.day(at_s)}, {self.clock(at_s)}"

    def between(self, start_s: int, end_s: int) -> str:
        """Write an interval: one date where it has one."""
        end = self.clock(end_s) if self.local(start_s).date() == self.local(end_s).date() else self.instant(end_s)
        return f"{self.instant(start_s)}\N{EN DASH}{end}"

    def ago(self, at_s: int, now_s: int) -> str:
        """Write how long before (or after) now an instant is, as in 5 minutes ago."""
        if abs(at_s - now_s) < 1:
            return self.say("just now")
        delta = timedelta(seconds=at_s - now_s)
        return str(dates.format_timedelta(delta, add_direction=True, threshold=1.2, locale=self.locale))

    def lasting(self, seconds: int) -> str:
        """Write a length of time, as in 2 hours."""
        return str(dates.format_timedelta(timedelta(seconds=seconds), threshold=1.2, locale=self.locale))

    def _scaled(self, value: int, unit: str) -> str:
        for factor, prefix in ((1_000_000, "M"), (1_000, "k")):
            if abs(value) >= factor:
                scaled = Decimal(value) / factor
                return f"{self.number(scaled, 1 if abs(scaled) < 100 else 0)}{_NO_BREAK}{prefix}{unit}"
        return f"{self.number(value)}{_NO_BREAK}{unit}"


def language_of(wanted: str | None, accepted: str) -> str:
    """Choose a language: the one that was set, else the first that a browser accepts and the app speaks, else English.

    Args:
        wanted: What somebody chose before, None if nothing; what the app does not speak counts as nothing.
        accepted: An Accept-Language header; quality values are taken in the order written, as browsers write them.
    """
    if wanted in LANGUAGES:
        return str(wanted)
    for part in accepted.split(","):
        tag = part.split(";")[0].strip().lower().split("-")[0]
        if tag in LANGUAGES:
            return tag
    return "en"


@cache
def _catalog(language: str) -> gettext.NullTranslations:
    if language == "en":
        return gettext.NullTranslations()
    return gettext.translation("commonwatt", LOCALE_FOLDER, [language])
