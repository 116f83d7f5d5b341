"""From a printed code to a home: with an authenticator, then with a passkey, over TLS, in a real browser."""

import re
import time
from collections.abc import Iterator

import pyotp
import pytest
from playwright.sync_api import Browser, Page

from browser.entered import lived_folder, send, serving_entrance, with_authenticator
from browser.visitor import patience
from commonwatt.apps.persons import add
from commonwatt.identity.seat import Role

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def entered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Serve a lived street's app behind its entrance; return its address, and a code for anna of member-01."""
    folder = lived_folder(tmp_path_factory)
    code = add(folder, "anna", Role.MEMBER, "member-01", [], "").code
    add(folder, "bea", Role.MEMBER, "member-02", [], "")
    with serving_entrance(folder) as address:
        yield address, code


def says_how_to_be_told(page: Page, address: str) -> None:
    """Have a program told, which the site then refuses to reach, and keep one's own wishes."""
    page.goto(f"{address}/notifications")
    program = page.locator("form[data-entrance=webhook-on]")
    program.locator("[name=url]").fill("https://127.0.0.1/hook")
    program.locator("[name=label]").fill("my script")
    send(page, "Tell this program")
    program.get_by_text("whsec_").wait_for()
    assert page.locator("form[data-entrance=home-on]").is_hidden(), "no home listens to a broker here"
    page.reload()
    send(page, "Send me one now")
    page.get_by_text("One is on its way.").first.wait_for()
    bill = page.get_by_label("A bill is ready: tell me", exact=True)
    page.wait_for_function("document.querySelector('form[data-entrance=wishes] [name=zone]').value !== ''")
    bill.uncheck()
    page.locator("[name=quiet]").check()
    send(page, "Keep")
    page.get_by_text("Your wishes are kept.").first.wait_for()
    page.reload()
    page.get_by_text("it leads to no public place").wait_for()
    page.wait_for_function("!document.querySelector('[name=hear][value=bill]').checked")
    assert page.locator("[name=quiet]").is_checked()
    send(page, "Remove")
    page.get_by_text("my script").wait_for(state="detached")


def lets_a_program_in_and_chooses_a_guardian(page: Page, address: str) -> None:
    """Make a token that may read alone, use it and take it back; choose who agrees to a recovery; see what happened."""
    page.goto(f"{address}/me")
    form = page.locator("form[data-entrance=make-token]")
    form.locator("[name=label]").fill("spreadsheet")
    send(page, "Let a program come in")
    secret = form.locator("[data-secret]")
    secret.filter(has_text=re.compile(".{20}")).wait_for()
    context = page.context.browser.new_context(ignore_https_errors=True)  # type: ignore[union-attr]  # it has one
    bearer = {"Authorization": f"Bearer {secret.inner_text()}"}
    assert context.request.get(f"{address}/api/v1/homes/member-01", headers=bearer).ok
    page.reload()
    mine = page.locator("cw-list[data-list=tokens]")
    mine.get_by_text("spreadsheet").wait_for()
    mine.get_by_role("button", name="Take back").click()
    mine.get_by_text("spreadsheet").wait_for(state="detached")
    assert context.request.get(f"{address}/api/v1/homes/member-01", headers=bearer).status in (401, 403)
    context.close()
    form = page.locator("form[data-entrance=add-guardian]")
    form.locator("[name=name]").fill("nobody-here")
    send(page, "Let them agree")
    page.get_by_text("there is a person by this name").wait_for()
    form.locator("[name=name]").fill("bea")
    send(page, "Let them agree")
    chosen = page.locator("cw-list[data-list=guardians]")
    chosen.get_by_text("bea").wait_for()
    page.locator("cw-list[data-list=happened]").get_by_text("1 guardians are set").wait_for()
    chosen.get_by_role("button", name="Drop").click()
    chosen.get_by_text("bea").wait_for(state="detached")


def leaves_in_one_tab_and_sees_nothing_in_another(page: Page, address: str) -> None:
    """Sign out beside an open wallet, which then asks who is there."""
    beside = page.context.new_page()
    beside.goto(f"{address}/wallet")
    beside.wait_for_function("document.documentElement.dataset.heard")
    send(page, "Leave")
    page.wait_for_url("**/sign-in*")  # the page may see first that its session ended
    beside.wait_for_url("**/sign-in?next=/wallet")
    beside.close()


@pytest.mark.row("W10")
def test_somebody_comes_in_by_a_code_sets_up_two_ways_and_comes_in_by_each(
    browser: Browser, entered: tuple[str, str]
) -> None:
    address, code = entered
    context = browser.new_context(ignore_https_errors=True, viewport={"width": 390, "height": 844})
    context.set_default_timeout(30_000 * patience())
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))

    page.goto(f"{address}/")
    page.wait_for_url("**/sign-in?next=/")
    form = page.locator("form[data-entrance=printed]")
    form.locator("[name=name]").fill("anna")
    form.locator("[name=code]").fill("0000-0000-0000")
    send(page, "Come in with a printed code")
    page.wait_for_function("document.querySelector('form[data-entrance=printed] [role=alert]').textContent !== ''")
    form.locator("[name=code]").fill(code)
    send(page, "Come in with a printed code")
    page.wait_for_url("**/me")

    send(page, "Set a password")
    second = page.locator("[data-second]")
    second.wait_for(state="visible")
    page.locator("[data-picture] svg").wait_for()
    secret = second.locator("[data-secret]").inner_text()
    second.locator("[name=password]").fill(PASSWORD)
    second.locator("[name=code]").fill(pyotp.TOTP(secret).now())
    send(page, "Set a password")
    page.locator("cw-list[data-list=ways] [data-title]", has_text="password").wait_for()

    with_authenticator(page)
    send(page, "Make a passkey on this device")
    page.locator("cw-list[data-list=ways] [data-title]", has_text="passkey").wait_for()

    send(page, "Leave")
    page.wait_for_url("**/sign-in*")  # the page may see first that its session ended
    page.goto(f"{address}/api/v1/homes/member-01")
    assert '"status":404' in page.content() or '"status":403' in page.content()
    page.goto(f"{address}/sign-in?next=//elsewhere.example/")
    send(page, "Come in with a passkey")
    page.wait_for_url(f"{address}/")
    page.get_by_text("Paid today").wait_for()

    says_how_to_be_told(page, address)
    lets_a_program_in_and_chooses_a_guardian(page, address)
    page.goto(f"{address}/me")
    leaves_in_one_tab_and_sees_nothing_in_another(page, address)
    form = page.locator("form[data-entrance=password]")
    form.locator("[name=name]").fill("anna")
    form.locator("[name=password]").fill(PASSWORD)
    form.locator("[name=code]").fill(pyotp.TOTP(secret).at(int(time.time()) + 30))
    send(page, "Come in with a password")
    page.wait_for_url(f"{address}/")
    page.get_by_text("Paid today").wait_for()
    assert faults == []
    context.close()
