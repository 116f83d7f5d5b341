"""A connector or EVSE of a charging station as a device: it connects to us, and is told by charging profiles."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from commonwatt.adapters.devices.driver import DeviceSpec, Doors, settings_of
from commonwatt.adapters.devices.ocpp import profiles, v2x
from commonwatt.adapters.devices.ocpp.certificates import Authority
from commonwatt.adapters.devices.ocpp.frames import CallRefused
from commonwatt.adapters.devices.ocpp.gate import OPEN, TLS, Rule
from commonwatt.adapters.devices.ocpp.limits import EARLIER_S, Grid, Wanted
from commonwatt.adapters.devices.ocpp.needs import Needs, needs_of, within
from commonwatt.adapters.devices.ocpp.opening import opened, read_settings, tls_context
from commonwatt.adapters.devices.ocpp.server import Server
from commonwatt.adapters.devices.ocpp.settings import OcppSettings
from commonwatt.adapters.stores.keyfile import load_secret
from commonwatt.flexibility.fitting import fitted, hold_w
from commonwatt.model import (
    NO_NAMEPLATE,
    Ack,
    Asset,
    Band,
    Caps,
    Command,
    CommonwattError,
    DeviceState,
    InvalidValue,
    Nameplate,
    Refused,
    Unreachable,
    epoch,
    instant,
    round_div,
)

MOST_A = 32
"""On one phase no car takes more; what asks for it was meant for several."""


async def open_device(asset: Asset, spec: DeviceSpec, doors: Doors) -> "OcppDevice":
    """Register a station with the server of its address, which is started by the first that needs it.

    Args:
        asset: What is behind the connector.
        spec: ``url`` is ``ws://HOST:PORT/STATION`` or ``wss://``: where our server listens, and the id by which the
            station connects.
        doors: Clock, folder and servers.

    Raises:
        InvalidValue: The address or a setting makes no sense, or its port is not free.
    """
    settings = settings_of(spec, OcppSettings)
    id = unquote(urlsplit(spec.url).path.rstrip("/").rpartition("/")[2])
    secure, host, port = _place(spec.url, asset)
    if not id:
        raise InvalidValue(f"a station's url is ws://HOST:PORT/STATION, was {spec.url!r} for {asset.id}")
    try:
        server = await doors.shared(
            ("ocpp", host, port), lambda: opened(host, port, doors.clock, doors.folder, secure=secure)
        )
        if settings.also_at is not None:
            await _listen_also(server, _place(settings.also_at, asset), doors)
    except (OSError, Refused) as error:
        raise InvalidValue(f"no server can listen at {host}:{port} for {asset.id}: {error}") from error
    _secure(server, id, settings, secure=secure)
    return OcppDevice(asset, settings, server, id, doors)


def _place(url: str, asset: Asset) -> tuple[bool, str, int]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme not in ("ws", "wss") or not parts.hostname or port is None:
        raise InvalidValue(f"a station's url is ws://HOST:PORT/STATION, was {url!r} for {asset.id}")
    return parts.scheme == "wss", parts.hostname, port


async def _listen_also(server: Server, place: tuple[bool, str, int], doors: Doors) -> None:
    """Listen at one more address, once for all stations that name it."""
    secure, host, port = place
    if secure and server.tls is None:
        settings, services = read_settings(doors.folder), server.services
        if services.authority is None and doors.folder is not None:
            services.authority = Authority(doors.folder / "ocpp-authority", doors.clock)
            if server.gate is not None:
                server.gate.authority = services.authority
        server.tls = tls_context(settings, services.authority)
    await doors.shared(("ocpp", host, port), lambda: server.at(host, port, server.tls if secure else None))


def _secure(server: Server, id: str, settings: OcppSettings, *, secure: bool) -> None:
    """Tell the gate what a station must come with."""
    if server.gate is None:
        return
    profile = settings.security_profile if settings.security_profile is not None else TLS if secure else OPEN
    server.gate.rules[id] = Rule(profile, settings.certificate_name)
    if settings.certificate_name:
        server.services.names[id] = settings.certificate_name
    if settings.password_file is not None and not server.gate.credentials.has_password(id):
        try:
            server.gate.credentials.set(id, load_secret(Path(settings.password_file)).decode().strip())
        except (OSError, UnicodeError, Refused) as error:
            raise InvalidValue(f"password of station {id}: {error}") from error


class OcppDevice:
    """Implements the ports `Device`, `Identified` and `Clocked` on one connector or EVSE of a station."""

    def __init__(self, asset: Asset, settings: OcppSettings, server: Server, id: str, doors: Doors) -> None:
        self.asset, self._settings, self.clock = asset, settings, doors.clock
        self.server = server
        self.station = server.register(id)
        self.station.within_s = settings.answer_within_s
        self.evse = self.station.evse(settings.connector)
        self.evse.fuse_w = max(asset.max_import_w, asset.max_export_w)
        self.evse.volts, self.evse.phases = settings.volts, settings.phases or 1
        self._last: Command | None = None
        self._one_by_one = asyncio.Lock()
        self.station.hooks[self.evse.number] = self._begun

    @property
    def caps(self) -> Caps:
        """What it can be told: limits, and of OCPP 2.1 set-points either way where it is set to be bidirectional."""
        both = self._both_ways
        own = Caps(
            max_import_w=self.asset.max_import_w,
            max_export_w=self.asset.max_export_w if both else 0,
            min_import_w=self.asset.min_import_w,
            setpoint=both,
            step_w=self._grid.ampere_w if self._grid.unit == "A" else 1,
            lease_s=self._settings.lease_s,
            droops=both and self._settings.frequency_curve and self._grid.unit == "W",
        )
        return within(own, self.needs) if both else own

    @property
    def needs(self) -> Needs | None:
        """What the car at its plug said that it needs, None where it said nothing, or nothing that can be true."""
        if self.evse.wants is None or not self.evse.plugged:
            return None
        try:
            return needs_of(self.evse.wants)
        except InvalidValue:
            return None

    @property
    def _both_ways(self) -> bool:
        return self._settings.bidirectional and self.station.version in ("", "2.1")

    @property
    def _grid(self) -> Grid:
        unit = self._settings.rate_unit or self.station.facts.get("rate unit", "W")
        return Grid(unit, self._settings.volts, self._settings.phases or 1)

    async def read(self) -> DeviceState:
        """Return what it told last, asked for anew where that is old."""
        evse, now = self.evse, self.clock()
        if self.station.link is None:
            raise Unreachable(f"station {self.station.id} is not connected")
        if evse.heard_s is None or epoch(now) - evse.heard_s > self._settings.fresh_s:
            await self._trigger(epoch(now))
        if evse.doubt:
            raise InvalidValue(f"station {self.station.id}, EVSE {evse.number}: {evse.doubt}")
        level_wh = None
        if self.asset.stores and evse.plugged and evse.level_ppm is not None:
            level_wh = round_div(self.asset.capacity_wh * evse.level_ppm, 1_000_000)
        return DeviceState(
            at=instant(min(self._shown_s(epoch(now)), epoch(now))),
            power_w=evse.power_w,
            import_wh=evse.imported.total_wh,
            export_wh=evse.exported.total_wh,
            level_wh=level_wh,
            connected=evse.plugged,
            frequency_mhz=evse.frequency_mhz,
        )

    async def identity(self) -> Nameplate:
        """Return what its station said at its last boot, which may be longer ago than our start."""
        if self.station.link is None:
            raise Unreachable(f"station {self.station.id} is not connected")
        if self.station.nameplate == NO_NAMEPLATE:
            raise Unreachable(f"station {self.station.id} has not said who it is since it is known here")
        return self.station.nameplate

    @property
    def clock_ahead_s(self) -> int | None:
        """By how much its station's clock was ahead in what it told last."""
        return self.station.clock.ahead_s

    def _shown_s(self, now_s: int) -> int:
        """Return since when we know what is shown; where nothing is charged, that a station lives says it all."""
        evse, station = self.evse, self.station
        heard_s = station.heard_s if evse.session is None and evse.number > 0 else evse.heard_s
        return heard_s or evse.heard_s or now_s

    async def apply(self, command: Command) -> Ack:
        """Make it hold a band until the command expires, by a charging profile that runs out by itself."""
        async with self._one_by_one:
            ack = await self._apply(command)
            if ack.taken is not None:
                self._last = command
            return ack

    async def _begun(self) -> None:
        """Tell a transaction that has just begun what holds, where no default that is right told it already.

        A relative default counts from the start of whichever transaction: of one that began late it lasts too long.
        """
        settings = self._settings
        async with self._one_by_one:
            command = self._last
            waits = profiles.default_waits(self.station, self.evse) and not settings.relative and not settings.dynamic
            if command is None or waits:
                return
            try:
                if epoch(command.expires) > epoch(self.clock()):
                    await self._apply(command)
                elif settings.relative:
                    await profiles.let_go(self.station, self.evse)
            except CommonwattError as error:
                self.station.note(f"told nothing at the start of a transaction: {type(error).__name__}")

    async def _apply(self, command: Command) -> Ack:
        now = self.clock()
        if epoch(command.expires) <= epoch(now):
            return self._ack(command, None, "command has expired")
        if self.station.link is None:
            raise Unreachable(f"station {self.station.id} is not connected")
        if self._settings.rate_unit is None:
            await profiles.rate_unit(self.station)
        taken, why = fitted(self.caps, command.band)
        if taken is None:
            return self._ack(command, None, why)
        setpoint_w = hold_w(taken) if self.caps.setpoint else None
        wanted = Wanted(
            limit_w=max(0, taken.hi_w),
            discharge_w=min(0, taken.lo_w),
            setpoint_w=setpoint_w,
            now=now,
            expires=command.expires,
            periods=self._droop_periods(command, taken),
        )
        if self._settings.phases is None and self._grid.unit == "A" and self._grid.limit(taken.hi_w) > MOST_A:
            # A station that overlooks numberPhases would draw it three times.
            return self._ack(command, None, f"more than {MOST_A} A: say on how many phases it charges, by phases")
        if await self._changed_in_place(wanted):
            return self._ack(command, taken, why)
        try:
            held = await self._hold(wanted)
        except profiles.NotHeld as refused:
            return self._ack(command, None, f"the station takes no profile: {refused}")
        except CallRefused as refused:
            return self._ack(command, None, f"the station refused: {refused}")
        words = [why] if why else []
        if taken.hi_w > 0 and self.evse.session is None:
            words += await self._start()
        really, why = self._really(taken, setpoint_w, held, words)
        if really != taken or wanted.periods:
            self._forget_dynamic()
        return self._ack(command, really, why)

    async def release(self) -> None:
        """Clear our profile; where a station cannot, allow it its maximum until the lease is over."""
        async with self._one_by_one:
            self._last = None
            await self._release()

    async def _release(self) -> None:
        if self.station.link is None:
            raise Unreachable(f"station {self.station.id} is not connected")
        if not self._settings.cannot_clear and await profiles.let_go(self.station, self.evse):
            return
        now = self.clock()
        expires = type(now).fromtimestamp(epoch(now) + self._settings.lease_s, now.tzinfo)
        most = Wanted(self.asset.max_import_w, -self.caps.max_export_w, None, now, expires)
        try:
            await self._hold(most)
        except (profiles.NotHeld, CallRefused) as refused:
            raise Unreachable(
                f"station {self.station.id} does not let go before its lease is over: {refused}"
            ) from None

    async def close(self) -> None:
        """Do nothing: the server ends with the process that runs it, and profiles run out by themselves."""

    async def stop_session(self) -> str:
        """End the transaction that runs, and return an empty text, or why it goes on.

        Raises:
            Unreachable: The station gave no answer.
        """
        return await profiles.stop_session(self.station, self.evse)

    @property
    def _dynamic(self) -> dict[int, dict[str, Any]]:
        """Dynamic profiles that the station has, with the numbers that it was told last; a restart forgets them."""
        kept: dict[int, dict[str, Any]] = self.station.facts.setdefault("dynamic", {})
        return kept

    def _forget_dynamic(self) -> None:
        for first_id in profiles.FIRST_IDS.values():
            self._dynamic.pop(first_id + self.evse.number, None)

    async def _hold(self, wanted: Wanted) -> tuple[int | None, int | None]:
        level = 0 if self._settings.stack_level_zero else self._settings.stack_level
        self._forget_dynamic()
        usual = partial(
            profiles.hold, self.station, self.evse, wanted, self._grid, stack_level=level,
            relative=self._settings.relative,
        )  # fmt: skip
        if not self._may_change or wanted.periods:
            return await usual()
        try:
            held = await usual(dynamic=True)
        except profiles.NotHeld:
            self.station.facts["takes updates"] = False
            return await usual()
        id, session = profiles.standing_id(self.station, self.evse), self.evse.session
        self._dynamic[id] = {
            "ends_s": epoch(wanted.expires), "session": session and session.id, "update": self._update(wanted),
        }  # fmt: skip
        return held

    @property
    def _may_change(self) -> bool:
        known = self.station.facts.get("takes updates") is not False
        return self._settings.dynamic and self.station.version == "2.1" and self._grid.unit == "W" and known

    def _update(self, wanted: Wanted) -> dict[str, int]:
        update = {"limit": wanted.limit_w}
        if wanted.setpoint_w is not None:
            update |= {"setpoint": wanted.setpoint_w, "dischargeLimit": wanted.discharge_w}
        return update

    async def _changed_in_place(self, wanted: Wanted) -> bool:
        """Change the profile that stands; a change moves no end, so it must end no later and not much earlier."""
        id, session = profiles.standing_id(self.station, self.evse), self.evse.session
        stands = self._dynamic.get(id)
        left_s, wanted_s = (stands["ends_s"] if stands else 0) - epoch(wanted.now), epoch(wanted.expires)
        wanted_s -= epoch(wanted.now)
        if stands is None or not self._may_change or wanted.periods or stands["session"] != (session and session.id):
            return False
        # Whoever keeps devices writes again at a third of what is left, which is before this end.
        if left_s > wanted_s or 3 * left_s < 2 * wanted_s:
            return False
        update = self._update(wanted)
        if await v2x.update(self.station, id, update):
            self.station.facts["takes updates"] = False
            return False
        stands["update"] = update
        return True

    def _droop_periods(self, command: Command, taken: Band) -> tuple[dict[str, Any], ...]:
        """Return the schedule by which the station follows an armed curve itself, and what it holds afterwards."""
        if command.droop is None or command.droop_band is None or not self.caps.droops:
            return ()
        now_s, until_s = epoch(self.clock()), min(epoch(command.droop.until), epoch(command.expires))
        if until_s <= now_s:
            return ()
        band = Band(
            lo_w=max(command.droop_band.lo_w, -self.caps.max_export_w),
            hi_w=min(command.droop_band.hi_w, self.caps.max_import_w),
        )
        holds_w = hold_w(taken)
        curve = v2x.period("LocalFrequency", band, baseline_w=holds_w, droop=command.droop.curve)
        if until_s >= epoch(command.expires):
            return (curve,)
        after = v2x.period("CentralSetpoint", taken, setpoint_w=holds_w)
        return curve, after | {"startPeriod": until_s - now_s + EARLIER_S}

    async def _start(self) -> list[str]:
        tag = self._settings.remote_start_id_tag
        if tag is None or not self.evse.plugged:
            return []
        failed = await profiles.start_session(self.station, self.evse, tag)
        return [f"no charge begins: {failed}"] if failed else []

    def _really(
        self, taken: Band, setpoint_w: int | None, held: tuple[int | None, int | None], words: list[str]
    ) -> tuple[Band, str]:
        """Return the band that the station says it holds: another profile may stand above ours."""
        limit_w, point_w = held
        near_w = self.caps.step_w + self._settings.volts // 10
        if setpoint_w is not None and point_w is not None and abs(point_w - setpoint_w) > near_w:
            words.append(f"its schedule holds {point_w} W and not {setpoint_w} W: another profile overrules ours")
            taken = Band(lo_w=point_w, hi_w=point_w)
        off_w = 0 if limit_w is None else limit_w - taken.hi_w
        if limit_w is not None and (off_w < -near_w or (off_w > near_w and setpoint_w is None)):
            words.append(f"its schedule allows {limit_w} W and not {taken.hi_w} W: another profile overrules ours")
            hi_w = min(limit_w, self.asset.max_import_w)
            lo_w = taken.lo_w if setpoint_w is None else min(taken.lo_w, hi_w)
            taken = Band(lo_w=lo_w, hi_w=max(lo_w, hi_w))
        return taken, "; ".join(words)

    async def _trigger(self, now_s: int) -> None:
        """Ask for meter values; a station that cannot is believed for as long as it speaks at all."""
        evse, station = self.evse, self.station
        if station.facts.get("trigger") is not False:
            where = {"connectorId": evse.number} if station.version == "1.6" else {"evse": {"id": evse.number}}
            try:
                told = await station.call("TriggerMessage", {"requestedMessage": "MeterValues", **where})
            except CallRefused:
                station.facts["trigger"] = False
            else:
                if told.get("status") == "Accepted":
                    await station.heard_of(evse, now_s, self._settings.answer_within_s)
                elif told.get("status") == "NotImplemented":
                    station.facts["trigger"] = False
        heard_s = evse.heard_s
        if evse.session is None and station.heard_s is not None:
            heard_s = station.heard_s  # where nothing is charged there is nothing to tell but that it lives
        if not evse.doubt and (heard_s is None or now_s - heard_s > self._settings.silent_s):
            raise Unreachable(f"station {station.id} has told nothing of EVSE {evse.number} for long")

    def _ack(self, command: Command, taken: Band | None, why: str) -> Ack:
        return Ack(command=command.id, asset=command.asset, taken=taken, why=why)
