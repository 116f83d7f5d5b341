"""A browser shows what a push service hands it, and what cannot be read as something to look at."""

import time
from collections.abc import Callable

from playwright.sync_api import Page

from browser.visitor import Visit

SHOWN = (
    "navigator.serviceWorker.ready.then((worker) => worker.getNotifications())"
    ".then((all) => all.map((one) => [one.title, one.body]))"
)


def patient(true: Callable[[], object], page: Page) -> None:
    """Wait for something, a minute at most."""
    until_s = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until_s, "it never came"
        page.wait_for_timeout(20)


def test_a_browser_shows_a_notice_that_was_pushed_to_it(visit: Visit, gallery: str) -> None:
    visitor = visit("phone")
    visitor.context.grant_permissions(["notifications"], origin=gallery)
    page = visitor.go("/")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    devices, known = visitor.context.new_cdp_session(page), list[str]()
    devices.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: known.extend(one["registrationId"] for one in told["registrations"]),
    )
    devices.send("ServiceWorker.enable")
    patient(lambda: known, page)
    for data in ('{"id": "1", "title": "A plan waits", "text": "Until 17:30.", "href": "/schedule"}', "no JSON"):
        told = {"origin": gallery, "registrationId": known[0], "data": data}
        devices.send("ServiceWorker.deliverPushMessage", told)
    patient(lambda: len(page.evaluate(SHOWN)) == 2, page)
    assert sorted(page.evaluate(SHOWN)) == [["A plan waits", "Until 17:30."], ["commonwatt", ""]]
