"""Somebody with a browser of their own, before the app."""

import os
from collections.abc import Callable

from playwright.sync_api import Browser, BrowserContext, Page

SIZES = {"phone": (390, 844), "desktop": (1280, 800)}


def patience() -> float:
    """Return how many times longer than on an idle machine things may take: work that waits for each core.

    Figures of the issue are for two cores that do nothing else; elsewhere the test asks for as much less.
    """
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


class Visitor:
    """Somebody with a browser of their own.

    Args:
        browser: Whose windows are opened.
        address: Of the app.
        size: ``phone`` or ``desktop``.
        dark: Whether their system is dark.
        language: Of their browser.
    """

    def __init__(
        self, browser: Browser, address: str, size: str = "phone", *, dark: bool = False, language: str = "en-GB"
    ) -> None:
        width, height = SIZES[size]
        self.address = address
        self.context: BrowserContext = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            locale=language,
            reduced_motion="reduce",
            timezone_id="Pacific/Auckland",
        )
        self.context.set_default_timeout(30_000)
        self.page: Page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))

    def go(self, path: str) -> Page:
        """Open a page and wait until it lives: its parts stand and its socket has greeted it."""
        self.page.goto(f"{self.address}{path}")
        self.page.wait_for_function("document.documentElement.dataset.heard && document.querySelector('#content > *')")
        return self.page


Visit = Callable[..., Visitor]
