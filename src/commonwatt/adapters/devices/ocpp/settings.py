"""What a devices file may say of a charging station, and what of it makes no sense."""

import msgspec

from commonwatt.adapters.devices.ocpp.gate import BASIC, MUTUAL, OPEN, TLS


class OcppSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a devices file may say of a station.

    Args:
        connector: Number of the connector (1.6) or EVSE (2.x).
        phases: On how many it charges; without, one, by which no more than 32 A are told.
        volts: Between phase and neutral.
        stack_level: Level of our profiles; without, the highest that the station knows.
        stack_level_zero: It takes none but level 0 (ABB).
        relative: Profiles count from the start of the transaction, for a station whose clock is wrong.
        rate_unit: ``A`` or ``W``; without, what the station says.
        cannot_clear: It does not clear profiles (go-e): releasing sets one with its maximum.
        bidirectional: An OCPP 2.1 station that also discharges cars.
        dynamic: An OCPP 2.1 station that takes fast changes of a profile in place.
        frequency_curve: An OCPP 2.1 station that follows an armed curve by itself (LocalFrequency).
        remote_start_id_tag: With it a charge is begun where a car is plugged and no transaction runs.
        lease_s: How long a station holds what it was told, at most.
        fresh_s: A reading older than this is asked for anew.
        silent_s: A station that was not heard for so long is unreachable; it says something every five minutes.
        answer_within_s: How long it may take to answer.
        security_profile: 0 nothing, 1 a password, 2 TLS and a password, 3 TLS and a certificate; without, 2 on ``wss``
            and 0 on ``ws``. Profile 1 sends the password as it is, and is only taken where it is asked for here.
        password_file: A file for its owner alone with the first password, for a station that has none yet.
        certificate_name: Common name in the station's certificate, its serial number for instance; without, its id.
        also_at: One more ``ws://HOST:PORT`` or ``wss://HOST:PORT`` at which the same server listens, for a station on
            its way to a higher profile.
    """

    connector: int = 1
    phases: int | None = None
    volts: int = 230
    stack_level: int | None = None
    stack_level_zero: bool = False
    relative: bool = False
    rate_unit: str | None = None
    cannot_clear: bool = False
    bidirectional: bool = False
    dynamic: bool = False
    frequency_curve: bool = False
    remote_start_id_tag: str | None = None
    lease_s: int = 300
    fresh_s: int = 90
    silent_s: int = 700
    answer_within_s: float = 8.0
    security_profile: int | None = None
    password_file: str | None = None
    certificate_name: str = ""
    also_at: str | None = None

    def __post_init__(self) -> None:
        if self.connector < 0 or self.phases not in (None, 1, 2, 3) or self.volts < 1 or self.lease_s < 1:
            raise ValueError(f"a connector has one to three phases and a lease of a second or more, was {self}")
        if self.rate_unit not in (None, "A", "W"):
            raise ValueError(f"a rate unit is A or W, was {self.rate_unit}")
        if self.security_profile not in (None, OPEN, BASIC, TLS, MUTUAL):
            raise ValueError(f"a security profile is 0 to {MUTUAL}, was {self.security_profile}")
