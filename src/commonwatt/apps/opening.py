"""Open a community's app: API and pages on one socket, over the log of a folder, which others may write meanwhile."""

import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import uvicorn
from fastapi import FastAPI
from starlette.requests import HTTPConnection

from commonwatt.adapters.stores.tls_files import TlsFiles, tls_files
from commonwatt.apps.api.app import PREFIX, make_app
from commonwatt.apps.api.guard import Seating
from commonwatt.apps.api.held import Held
from commonwatt.apps.api.limits import Fair, Limits
from commonwatt.apps.certifying import keep_certificate
from commonwatt.apps.chain_terms import chain_terms
from commonwatt.apps.chaining import ChainKeeper
from commonwatt.apps.community import Community
from commonwatt.apps.entering import keep_trail_tied, open_gate
from commonwatt.apps.feeding import check_feeds, keep_feeds
from commonwatt.apps.folder_community import folder_community
from commonwatt.apps.notice_ways import terms_of
from commonwatt.apps.noticing import Noticing
from commonwatt.apps.observing.metrics import Around, Seldom
from commonwatt.apps.observing.readiness import disk_takes, door_answers
from commonwatt.apps.observing.watch import NO_WATCH, Wanted, Watch, open_watch
from commonwatt.apps.publishing import address, listen
from commonwatt.apps.rehearsal import rehearsal
from commonwatt.apps.web.frame import Chair
from commonwatt.apps.web.pages import PAGES, entrance, notifications
from commonwatt.apps.web.serving import socket_settings
from commonwatt.apps.web.shell import House, open_house
from commonwatt.apps.web.words import Place
from commonwatt.flows.chronicle import Chapter
from commonwatt.flows.entrance.sitting import count_signed_in, note_deed
from commonwatt.identity.seat import Seat
from commonwatt.identity.signing_in.recovery import Recovery

TLS_FOLDER = "tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Where an app is open, where its metrics are, and what people have to trust to see it without a warning."""

    url: str
    metrics: str
    authority: Path | None
    renewed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How an app is opened.

    Args:
        host: Where to listen.
        port: Likewise; 0 for any that is free.
        names: Host names under which people reach it; the host itself where there are none.
        plain: Whether it is served without TLS: on this machine alone, or behind somebody else's.
        rehearsal: Whether anybody may take any seat; only where the community's keys follow from a published seed.
        currency: What one ERGON is worth one of, ISO 4217.
        limits: How much anybody may ask.
        wanted: What whoever opens it wants to see of it.
    """

    host: str = "127.0.0.1"
    port: int = 8443
    names: tuple[str, ...] = ()
    plain: bool = False
    rehearsal: bool = False
    currency: str = "GBP"
    limits: Limits = field(default_factory=Limits)
    wanted: Wanted = field(default_factory=Wanted)


class _Doorway(Seating, Protocol):
    """Who lets people in: by sign-in, or to any seat of a rehearsal."""

    def seat_now(self, connection: HTTPConnection) -> Seat:
        """Return who asks, at once."""

    def held_now(self, connection: HTTPConnection) -> Held:
        """Return by what somebody sits before a page."""

    def recoveries_now(self, connection: HTTPConnection) -> list[Recovery]:
        """Return the recoveries under way of whoever sits before a page."""

    def caller(self, connection: HTTPConnection) -> str | None:
        """Return whose asks are counted together; None for who is not known."""

    def install(self, app: FastAPI) -> None:
        """Let an application know who asks."""


def open_app(folder: Path, way: Way, on_open: Callable[[Opened], None]) -> None:
    """Serve a community's app until the process is told to end.

    Args:
        folder: The community's, with its log.
        way: How.
        on_open: Told once people can come.

    Raises:
        Refused: There is no log, or the way is not for this community; or a feed's token is missing.
        InvalidValue: The configuration of its feeds makes no sense.
        Corrupt: A file is damaged.
        OSError: The port is taken.
    """
    with ExitStack() as doors:
        watch = open_watch(way.wanted, doors)
        socket = doors.enter_context(listen(way.host, way.port))
        port, names = socket.getsockname()[1], way.names or (_name_of(way.host),)

        def renew() -> TlsFiles:
            return tls_files(folder / TLS_FOLDER, folder.name, names, int(time.time()))

        tls = None if way.plain else renew()
        origin = f"{'http' if way.plain else 'https'}://{names[0]}:{port}"
        beside = [] if way.plain else [lambda: keep_certificate(renew, lambda: server.config.ssl)]
        app = app_of(folder_community(folder), way, origin, watch, beside)
        settings = socket_settings()
        if tls is not None:
            settings |= {"ssl_certfile": str(tls.certificate), "ssl_keyfile": str(tls.key)}
        server = uvicorn.Server(uvicorn.Config(app, **settings))
        on_open(_opened(origin, tls, watch))
        server.run([socket])


def app_of(
    community: Community,
    way: Way,
    origin: str,
    watch: Watch = NO_WATCH,
    also: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
) -> FastAPI:
    """Return a community's app, API and pages.

    Args:
        community: Not caught up yet, of this thread; closed when the app ends.
        way: See `open_app`.
        origin: Where people reach it, as browsers write it.
        watch: Looks on.
        also: What else is done as long as it is open; each is cancelled at its end.
    """
    check_feeds(community)
    community.catch_up()
    place = Place(name=community.name, zone=ZoneInfo(community.state.charter.timezone), currency=way.currency)
    doorway: _Doorway
    chairs: list[Chair] = []
    needs = {"door": lambda: door_answers(community.door), "disk": lambda: disk_takes(community.folder)}
    beside = [*watch.beside, *also, lambda: keep_feeds(community), community.keep_forecasts]
    if (terms := chain_terms(community.folder)) is not None:
        community.chain = keeper = ChainKeeper(community, terms)
        needs["chain"] = keeper.answers
        beside.append(keeper.run)
    signed_in: Callable[[], int] | None = None
    if way.rehearsal:
        doorway = played = rehearsal(community.folder, way.host, origin, community.state)
        chairs = [Chair(seat=seat, href=href) for seat, href in played.ways()]
        app = make_app(lambda: community, doorway, beside, needs)
    else:
        doorway = gate = open_gate(community.folder, origin, community.state)
        noticing = Noticing(gate.hall, community, place, origin, terms_of(community.folder))
        community.note = partial(note_deed, gate.hall)
        beside += [lambda: keep_trail_tied(gate.hall.people, community), noticing.run]
        app = make_app(lambda: community, doorway, beside, {**needs, "people": gate.answers})
        app.state.noticing = noticing
        signed_in = Seldom(lambda: count_signed_in(gate.hall), time.monotonic)
    # Inside of the armour, which `install` puts around: a refusal wears it, too.
    app.add_middleware(
        Fair, limits=way.limits, now_s=time.monotonic, caller=lambda scope: doorway.caller(HTTPConnection(scope))
    )
    doorway.install(app)
    house = _house(community, way, place, doorway, chairs, origin)
    pages = PAGES if way.rehearsal else (*PAGES, notifications.PAGE, *entrance.PAGES)
    live = open_house(app, house, pages)

    def stir(chapter: Chapter) -> None:
        live.stir({*(leaf.kind.value for leaf in chapter.leaves), *chapter.accounts})

    community.on_chapter(stir)
    community.on_standing = live.stir
    if community.chain is not None:
        community.chain.on_change = partial(live.stir, {"chain"})
    watch.put_around(
        app, community, Around(open_pages=lambda: live.pages, feeds=lambda: live.feeds, people=signed_in), PREFIX
    )
    return app


def _house(community: Community, way: Way, place: Place, doorway: _Doorway, chairs: list[Chair], origin: str) -> House:
    """Return what pages are told of where they stand; a rehearsal has no people of its own, and nobody signs in."""
    return House(
        community=community,
        place=place,
        now_s=community.now_s,
        as_of_s=lambda: community.told_s,
        stands=lambda: community.broken is not None,
        seat_of=doorway.seat_now,
        held_of=doorway.held_now,
        chairs_of=lambda _: chairs,
        above=lambda request, words: entrance.recovery_bar(words, doorway.recoveries_now(request)),
        sign_in="" if way.rehearsal else entrance.SIGN_IN,
        own_access=() if way.rehearsal else entrance.OWN_ACCESS,
        origin=origin,
    )


def _opened(origin: str, tls: TlsFiles | None, watch: Watch) -> Opened:
    return Opened(
        url=origin,
        metrics="" if watch.door is None else f"{address(watch.door)}/metrics",
        authority=None if tls is None else tls.authority,
        renewed=tls is not None and tls.renewed,
    )


def _name_of(host: str) -> str:
    return "localhost" if host in ("127.0.0.1", "::1") else host
