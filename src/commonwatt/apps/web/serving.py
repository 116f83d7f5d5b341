"""How the app is served: what a web server must be told so that two hundred open pages are cheap."""

from typing import Any

from commonwatt.apps.api.serving import SETTINGS


def socket_settings() -> dict[str, Any]:
    """Return settings for uvicorn.

    Messages are short, and a compressor for each open page would take more memory than all else of it.
    """
    return {
        **SETTINGS,
        "http": "httptools",
        "loop": "uvloop",
        "ws": "websockets-sansio",
        "ws_per_message_deflate": False,
        "ws_max_size": 1_000_000,
    }
