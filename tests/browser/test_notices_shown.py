"""A browser shows what a push service hands it, and what cannot be read as something to look at."""

from browser.visitor import Visit

SHOWN = "navigator.serviceWorker.ready.then((worker) => worker.getNotifications())"


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
    while not known:
        page.wait_for_timeout(20)
    for data in ('{"id": "1", "title": "A plan waits", "text": "Until 17:30.", "href": "/schedule"}', "no JSON"):
        told = {"origin": gallery, "registrationId": known[0], "data": data}
        devices.send("ServiceWorker.deliverPushMessage", told)
    page.wait_for_function(f"{SHOWN}.then((all) => all.length === 2)")
    titles = page.evaluate(f"{SHOWN}.then((all) => all.map((one) => [one.title, one.body]))")
    assert sorted(titles) == [["A plan waits", "Until 17:30."], ["commonwatt", ""]]
