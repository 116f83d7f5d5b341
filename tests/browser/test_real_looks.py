"""How the real pages look on a street that lived some hours and to which nobody does anything, against how they did.

`test_looks` judges every part in every state; here the pages stand as households, operators, grids and auditors see
them.
"""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from browser.conftest import living, seated
from browser.visitor import Visit

PAGES = (
    ("member-04", "phone", False, ("/", "/schedule", "/market", "/wallet", "/proof", "/devices")),
    ("member-04", "desktop", True, ("/", "/market")),
    ("operator", "desktop", False, ("/operator", "/devices")),
    ("dso", "desktop", True, ("/grid",)),
    ("auditor", "desktop", False, ("/audit",)),
    ("public", "phone", True, ("/market",)),
)


@pytest.fixture(scope="module")
def still_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a street of this module's own: what tests of other modules do shows on their pages."""
    with living(tmp_path_factory) as address:
        yield address


@pytest.fixture
def sits_still(browser: Browser, still_app: str) -> Iterator[Visit]:
    with seated(browser, still_app) as new:
        yield new


@pytest.mark.row("W10")
@pytest.mark.parametrize(("seat", "size", "dark", "paths"), PAGES, ids=[f"{one[0]}-{one[1]}" for one in PAGES])
def test_the_real_pages_look_as_they_were_kept(
    sits_still: Visit, same_as_kept: Callable[..., None], seat: str, size: str, dark: bool, paths: tuple[str, ...]
) -> None:
    visitor = sits_still(seat, size, dark=dark)
    for path in paths:
        page = visitor.go(path)
        page.wait_for_function("!document.querySelector('.skeleton')")
        if page.locator(".chart").count():
            page.wait_for_selector(".chart svg path", state="attached")
        same_as_kept(page, f"real-{seat}-{path.strip('/') or 'home'}-{size}")
