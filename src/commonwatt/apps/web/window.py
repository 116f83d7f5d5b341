"""Open the app as a window of its own, in a Chromium that is installed already."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from commonwatt.model import Refused

_PROGRAMS: Final = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "brave-browser",
)
_ON_A_MAC: Final = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)


def browser() -> str | None:
    """Return the path of a browser that can show a page as a window of its own, or None."""
    for name in _PROGRAMS:
        if found := shutil.which(name):
            return found
    places = _ON_A_MAC if sys.platform == "darwin" else ()
    return next((place for place in places if Path(place).exists()), None)


def open_window(url: str, profile: Path) -> "subprocess.Popen[bytes]":
    """Show a page in a window without address bar; the window's process lives until it is closed.

    Args:
        url: The app's address.
        profile: A folder for the browser's own state, so that the window stays signed in and is nobody else's.

    Raises:
        Refused: There is no such browser here.
    """
    program = browser()
    if program is None:
        raise Refused("a window of its own needs Chromium, Chrome, Edge or Brave", open_instead=url)
    profile.mkdir(parents=True, exist_ok=True, mode=0o700)
    words = [program, f"--app={url}", f"--user-data-dir={profile}", "--no-first-run", "--no-default-browser-check"]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603  no shell, own words
