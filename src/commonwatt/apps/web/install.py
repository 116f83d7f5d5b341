"""What makes the app installable: manifest, icons, and a worker with a page for when there is no network."""

import hashlib
from typing import Final

import msgspec
from fastapi import FastAPI, Request, Response

from commonwatt.apps.web.assets import FOLDER, address, answer, assets
from commonwatt.apps.web.words import Place

THEME_COLOURS: Final = {"light": "#f6f7f4", "dark": "#12171a"}
INSTALL_HEAD: Final = (
    '<link rel="stylesheet" href="{style}"><script src="{script}" defer></script>'
    '<link rel="manifest" href="/manifest.webmanifest">'
    f'<link rel="icon" href="{address("icon.svg")}" type="image/svg+xml">'
    f'<link rel="apple-touch-icon" href="{address("icon-192.png")}">'
    f'<meta name="theme-color" media="(prefers-color-scheme: light)" content="{THEME_COLOURS["light"]}">'
    f'<meta name="theme-color" media="(prefers-color-scheme: dark)" content="{THEME_COLOURS["dark"]}">'
    '<meta name="cw-theme" content="{theme}">'
)
"""What stands in every page's head; the theme is set before anything is painted."""


def serve_installation(app: FastAPI, place: Place) -> None:
    """Serve what browsers ask for before they install the app."""

    @app.get("/manifest.webmanifest", include_in_schema=False)
    async def manifest() -> Response:
        headers = {"Cache-Control": "no-cache"}
        return Response(_manifest(place), media_type="application/manifest+json", headers=headers)

    @app.get("/service-worker.js", include_in_schema=False)
    async def worker() -> Response:
        headers = {"Cache-Control": "no-cache", "Service-Worker-Allowed": "/"}
        return Response(worker_script(), media_type="text/javascript", headers=headers)

    @app.get("/offline", include_in_schema=False)
    async def offline(request: Request) -> Response:
        return answer(assets()["offline.html"], request, "no-cache")

    @app.get("/favicon.ico", include_in_schema=False)
    async def favicon(request: Request) -> Response:
        return answer(assets()["icon-192.png"], request, "public, max-age=86400")


def worker_script() -> str:
    """Return the worker with the addresses of what it keeps; it changes whenever one of them does."""
    kept = ["/offline", *(address(name) for name in ("app.css", "app.js", "icon.svg"))]
    mark = hashlib.sha256("".join(asset.path for asset in assets().values()).encode()).hexdigest()[:12]
    script = (FOLDER / "worker.js").read_text()
    return script.replace("__KEPT__", msgspec.json.encode(kept).decode()).replace("__MARK__", mark)


def _manifest(place: Place) -> bytes:
    icons = [
        {"src": address("icon-192.png"), "sizes": "192x192", "type": "image/png", "purpose": "any"},
        {"src": address("icon-512.png"), "sizes": "512x512", "type": "image/png", "purpose": "any"},
        {"src": address("icon-mask.png"), "sizes": "512x512", "type": "image/png", "purpose": "maskable"},
        {"src": address("icon.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "any"},
    ]
    return msgspec.json.encode(
        {
            "id": "/",
            "name": place.name,
            "short_name": place.name[:12].strip(),
            "start_url": "/",
            "scope": "/",
            "display": "standalone",
            "background_color": THEME_COLOURS["light"],
            "theme_color": THEME_COLOURS["light"],
            "icons": icons,
        }
    )
