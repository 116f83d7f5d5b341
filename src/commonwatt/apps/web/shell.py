"""Put the app's pages on a web application: NiceGUI carries events and redraws, everything else is plain markup."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from markupsafe import Markup
from nicegui import Client, background_tasks, core, ui
from nicegui.version import __version__ as nicegui_version

from commonwatt.apps.api.held import FREE, Held
from commonwatt.apps.api.problems import Problem, problem_of
from commonwatt.apps.web import frame
from commonwatt.apps.web.assets import Packed, address, serve_assets
from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.install import INSTALL_HEAD, serve_installation
from commonwatt.apps.web.live import Live, Value
from commonwatt.apps.web.nowhere import NOWHERE
from commonwatt.apps.web.parts.states import error_state
from commonwatt.apps.web.words import LANGUAGES, Place, Words, language_of
from commonwatt.identity.access import Scope
from commonwatt.identity.seat import Role, Seat

RECONNECT_WITHIN_S = 15.0
_KEPT_MESSAGES = 20
_THEMES = ("auto", "light", "dark")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What the shell is told of where it stands.

    Args:
        community: Given to pages as it is.
        place: The community's name, clocks and money.
        now_s: Its clock, seconds since 1970.
        as_of_s: The log's time of the last leaf that is in what pages show.
        stands: Tells whether what pages show stands still there, because the log cannot be followed.
        seat_of: Who sits before a browser.
        held_of: By what they do, which is looked at again while a page is open.
        chairs_of: Which other seats they may take; a demo's role switcher.
        above: Returns what somebody has to see on every page of theirs, whatever it is about; None for nothing.
        sign_in: The page to which the public is sent from pages that are not theirs; empty where nobody signs in.
        own_access: The pages for who is only about to set up how they come in; from others they are sent to the first.
        origin: Where the site is, as browsers write it; empty for where a page was asked for, without TLS.
    """

    community: Any
    place: Place
    now_s: Callable[[], int]
    as_of_s: Callable[[], int]
    stands: Callable[[], bool]
    seat_of: Callable[[Request], Seat]
    held_of: Callable[[Request], Held] = field(default=lambda _: FREE)
    chairs_of: Callable[[Request], Sequence[frame.Chair]] = field(default=lambda _: ())
    above: Callable[[Request, Words], Markup | None] = field(default=lambda *_: None)
    sign_in: str = ""
    own_access: Sequence[str] = ()
    origin: str = ""


def open_house(app: FastAPI, house: House, pages: Sequence[Page]) -> Live:
    """Serve pages on an application, and return the feeds, which must be stirred whenever the log grows.

    To be called once a process, after all routes that are not pages: NiceGUI takes what is left. What pages forbid
    browsers is `api.armour`'s, which whoever knows the site puts around all of it.
    """
    live = Live(_send)
    serve_assets(app)
    serve_installation(app, house.place)
    _lighten(app)
    for page in (*pages, NOWHERE):
        _register(page, house, pages, live)
    ui.run_with(
        app,
        title=house.place.name,
        favicon=None,
        dark=None,
        binding_refresh_interval=None,
        reconnect_timeout=RECONNECT_WITHIN_S,
        message_history_length=_KEPT_MESSAGES,
        gzip_middleware_factory=lambda inner: Packed(inner, kept_under=f"/_nicegui/{nicegui_version}/"),
        tailwind=False,
        show_welcome_message=False,
    )
    # A bar that runs along the top while a program fetches says nothing to who listens, and pages fetch nothing anew.
    core.app.config.quasar_config["loadingBar"]["skipHijack"] = True
    # A page of another origin has no business on this socket, whatever page's name it guesses.
    core.sio.eio.cors_allowed_origins = house.origin or None
    core.app.on_startup(lambda: background_tasks.create(live.run(), name="live numbers"))
    return live


def _register(page: Page, house: House, pages: Sequence[Page], live: Live) -> None:
    # NiceGUI reads a page's language from the route's object, so there is one for each language; the first is routed.
    by_language = {language: ui.page(page.path, language=_quasar(language)) for language in LANGUAGES}

    async def show(request: Request, client: Client) -> Response | None:
        seat = house.seat_of(request)
        if house.sign_in and seat.role is Role.PUBLIC and Role.PUBLIC not in page.roles:
            return RedirectResponse(f"{house.sign_in}?next={quote(request.url.path)}", 303)
        if _sets_up(seat) and house.own_access and page.path not in house.own_access:
            return RedirectResponse(house.own_access[0], 303)
        if page.path == "/" and seat.role not in page.roles:
            # Whoever has no home begins with the first page that is theirs.
            first = next((other.path for other in pages if other.listed and seat.role in other.roles), page.path)
            if first != page.path:
                return RedirectResponse(first, 303)
        words = Words(
            language_of(request.cookies.get("cw_language"), request.headers.get("accept-language", "")), house.place
        )
        client.page = by_language[words.language]
        within = {**request.query_params, **{key: str(value) for key, value in request.path_params.items()}}
        context = Context(
            community=house.community,
            seat=seat,
            words=words,
            now_s=house.now_s,
            live=live,
            client=client,
            within=within,
            held=house.held_of(request),
        )
        _furnish(context, page, house, pages, request)
        _keep_alive(context, house)
        with ui.element("div").props("id=content tabindex=-1").classes("content"):
            if above := house.above(request, words):
                context.put(above)
            await _build(context, page)
        ui.add_body_html(str(frame.early(context.pieces)))
        context.pieces.clear()
        return None

    by_language["en"](show)


def _sets_up(seat: Seat) -> bool:
    """Tell whether somebody sits there only to set up how they come in."""
    return seat.scopes is not None and Scope.ENROL in seat.scopes


def _quasar(language: str) -> Any:
    return {"en": "en-GB"}.get(language, language)


def _furnish(context: Context, page: Page, house: House, pages: Sequence[Page], request: Request) -> None:
    words, client = context.words, context.client
    theme = request.cookies.get("cw_theme", "auto")
    theme = theme if theme in _THEMES else "auto"
    title = words.say(page.title)
    client.title = f"{title} - {house.place.name}"
    places = [
        frame.Way(href=other.path, title=words.say(other.title), icon=other.icon, here=other is page)
        for other in pages
        if other.listed
        and context.seat.role in other.roles
        and (not _sets_up(context.seat) or other.path in house.own_access)
    ]
    ui.add_head_html(INSTALL_HEAD.format(style=address("app.css"), script=address("app.js"), theme=theme))
    ui.add_body_html(
        str(
            frame.frame(
                words,
                context.seat,
                title=title,
                as_of_s=house.as_of_s(),
                stands=house.stands(),
                places=places,
                chairs=house.chairs_of(request),
                theme=theme,
            )
        )
    )


def _keep_alive(context: Context, house: House) -> None:
    live, client = context.live, context.client
    words = context.words

    def clock() -> Mapping[str, Value]:
        as_of_s = house.as_of_s()
        return {
            "as_of": words.seconds(as_of_s),
            "stands": frame.standing_still(words, as_of_s) if house.stands() else "",
        }

    async def put_out() -> None:
        await core.sio.emit("gone", room=client.id)
        client.remove_all_elements()

    live.admit(client.id, context.held.still, put_out)
    live.join(client.id, ("the log's time", words.language), clock)
    client.on_connect(lambda: live.greet(client.id))
    client.on_delete(lambda: live.leave(client.id))


async def _build(context: Context, page: Page) -> None:
    """Have a page build itself; what is refused is said in its place, with its status."""
    try:
        if context.seat.role not in page.roles:
            raise Problem(HTTPStatus.FORBIDDEN, "this page is for other roles", page.path, role=context.seat.role.value)
        built = page.build(context)
        if built is not None:
            await built
    except Exception as error:
        _refuse(context, problem_of(error, page.path))


def _refuse(context: Context, problem: Problem) -> None:
    context.client.status_code = int(problem.status)
    context.put(error_state(context.words, problem))


async def _send(values: Mapping[str, Value], pages: Collection[str]) -> None:
    # One packet for all of them: a room is named after each page's client.
    await core.sio.emit("live", dict(values), room=list(pages))


def _lighten(app: FastAPI) -> None:
    """Serve nothing in place of NiceGUI's web fonts: letters are the system's and icons are drawn."""

    @app.get(f"/_nicegui/{nicegui_version}/static/fonts.css", include_in_schema=False)
    async def no_fonts() -> Response:
        return Response("", media_type="text/css", headers={"Cache-Control": "public, max-age=31536000, immutable"})
