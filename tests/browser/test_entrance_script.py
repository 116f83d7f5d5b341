"""Whatever a link to the sign-in says, who signs in stays on this site, as a real browser reads addresses."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route

SCRIPT = Path(__file__).parents[2] / "src/commonwatt/apps/web/static/entrance.js"
SITE = "https://sun.example"
PAGE = """<!doctype html><script>window.cw = {}</script><script src="/entrance.js"></script>
<form data-entrance="password"><input name="name"><button type="submit">in</button></form>"""


def answer(route: Route) -> None:
    """Be the whole of the internet: this site's sign-in and script, and a page at every other address."""
    address = route.request.url
    if address == f"{SITE}/entrance.js":
        route.fulfill(body=SCRIPT.read_text(), content_type="text/javascript")
    elif address == f"{SITE}/api/v1/sign-in/password":
        route.fulfill(json={"person": "ada"})
    else:
        signs_in = address.startswith(f"{SITE}/sign-in")
        route.fulfill(body=PAGE if signs_in else "<p id=there>there</p>", content_type="text/html")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.route("**/*", answer)
    yield page
    page.close()


@pytest.mark.row("W8")
@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ("/zones?of=PL%23map", f"{SITE}/zones?of=PL#map"),
        ("/%09/evil.example/x", f"{SITE}/"),
        ("/%0A/evil.example/x", f"{SITE}/"),
        ("/%0D%09%5Cevil.example", f"{SITE}/"),
        ("//evil.example", f"{SITE}/"),
        ("%09//evil.example", f"{SITE}/"),
        ("/.//evil.example/x", f"{SITE}//evil.example/x"),
        ("https://evil.example", f"{SITE}/"),
        ("javascript:alert(1)", f"{SITE}/"),
        ("//[", f"{SITE}/"),
    ],
)
def test_who_signs_in_stays_on_this_site_as_the_browser_reads_the_link(page: Page, wanted: str, there: str) -> None:
    page.goto(f"{SITE}/sign-in?next={wanted}")
    page.get_by_role("button", name="in").click()
    page.locator("#there").wait_for(timeout=30_000)
    assert page.url == there
