"""Who runs the wires and who runs the community, on the real app of a street that lived, through its real door."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from browser.visitor import Visit, Visitor
from commonwatt.identity.keys import SigningKey
from commonwatt.identity.keystore import Cost, write_keystore

LINE = "power of zone street <= 10 kW from 12:00 to 24:00 on 14 November for dso"


def _serious(page: Page) -> list[str]:
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]})
    faults = (fault for fault in found.response["violations"] if fault["impact"] in ("serious", "critical"))
    return [f"{fault['id']}: {[node['html'][:160] for node in fault['nodes'][:3]]}" for fault in faults]


def _give(giver: Visitor, to: str, amount_micro: int) -> None:
    """Let a member give somebody money: only who has some can pay for flexibility."""
    gift = {"what": "give", "target": to, "commodity": "ergon_micro", "amount": amount_micro}
    at = f"{giver.address}/api/v1/accounts/member-08/transfers"
    done = giver.context.request.post(at, data=gift, headers={"Origin": giver.address})
    assert done.ok, done.text()


@pytest.mark.row("X9")
@pytest.mark.row("E10")
def test_forecasts_say_by_what_they_are_made_and_how_little_they_know_of_a_young_street(
    sits_at: Visit, lived_app: str
) -> None:
    visitor = sits_at("operator")
    assert visitor.context.request.get(f"{lived_app}/api/v1/forecasts/scores").ok, "answered once they are made"
    page = visitor.go("/forecast")
    expect(page.get_by_role("heading", name="How good forecasts were")).to_be_visible()
    expect(page.locator(".content")).to_contain_text("No forecast yet")
    expect(page.locator("figure.charted")).to_have_count(0)
    expect(page.locator(".content")).to_contain_text("No device needs a look")
    assert _serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.row("X14")
def test_a_limit_is_explained_while_typed_stated_by_keyboard_seen_at_once_and_taken_back(sits_at: Visit) -> None:
    page = sits_at("dso").go("/grid")
    over, at_most = page.locator("[data-live=over]"), page.locator("figure.charted tbody tr").last.locator("td").nth(1)
    expect(over).to_have_text("0")
    expect(at_most).to_have_text("25.0")
    expect(page.locator(".figure").first).to_contain_text("Wed 14 Nov, 16:45")
    box = page.get_by_label("A limit in one line")
    box.press_sequentially("power of car car-01 <= 1 kW from 18:00 to 19:00")
    expect(page.get_by_text("Not understood at")).to_be_visible()
    box.fill(LINE)
    expect(page.get_by_text("Understood", exact=True)).to_be_visible()
    box.press("Tab")
    expect(page.get_by_role("button", name="State it")).to_be_focused()
    page.keyboard.press("Enter")
    stands = page.get_by_label("What stands", exact=True)
    expect(stands).to_contain_text(LINE.split(" from ", maxsplit=1)[0])
    expect(box).to_have_value("")
    expect(at_most).to_have_text("10.0")
    expect(over).not_to_have_text("0")
    mine = stands.locator("li").filter(has_text="10 kW")
    mine.get_by_role("button", name="No longer").click()
    page.get_by_role("button", name="Now", exact=True).click()
    expect(mine).to_have_count(0)
    expect(at_most).to_have_text("25.0")
    expect(over).to_have_text("0")


@pytest.mark.row("W2")
@pytest.mark.row("H6")
def test_the_operator_sees_four_curves_as_table_and_calls_a_demand(sits_at: Visit) -> None:
    page = sits_at("operator", "desktop", dark=True).go("/operator")
    figure = page.locator("figure.charted")
    figure.get_by_role("button", name="Table").click()
    head = figure.locator("th[scope=col]").all_inner_texts()
    assert head == [
        "When",
        "Demand alone (kW)",
        "With unmanaged cars (kW)",
        "Smart charging (kW)",
        "With discharging (kW)",
    ]
    assert figure.locator("tbody tr").count() > 15
    assert page.locator("figure.pictured circle.home").count() == 10
    expect(page.get_by_text("Nothing needs a look")).to_be_visible()
    page.get_by_role("radio", name="30 minutes").check()
    page.get_by_role("button", name="Call DEMAND now").click()
    page.get_by_role("button", name="Press again to call it").click()
    called = page.get_by_label("Called now")
    expect(called).to_contain_text("17:00\N{EN DASH}17:30")
    called.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("Nothing is called now.")).to_be_visible()


@pytest.mark.row("H6")
@pytest.mark.parametrize("seat", ["dso", "utility"])
def test_who_may_call_a_demand_beside_the_operator_calls_it_on_the_grids_page(sits_at: Visit, seat: str) -> None:
    page = sits_at(seat).go("/grid")
    page.get_by_role("button", name="Call DEMAND now").click()
    page.get_by_role("button", name="Press again to call it").click()
    called = page.get_by_label("Called now").locator("li", has_text=f"DEMAND {seat}-")
    expect(called).to_contain_text("17:00\N{EN DASH}18:00")
    called.get_by_role("button", name="Take back").click()
    expect(called).to_have_count(0)


@pytest.mark.row("W5")
def test_a_contract_is_weighed_while_typed_offered_promised_in_two_taps_and_taken_back(sits_at: Visit) -> None:
    _give(sits_at("member-08"), "operator", 20_000_000)
    payer, member = sits_at("operator").go("/operator"), sits_at("member-03", "desktop").go("/deals")
    payer.get_by_label("Price of a kWh, in GBP").fill("0.50")
    payer.keyboard.press("Tab")
    expect(payer.get_by_text("an offer's budget is money that is free")).to_be_visible()
    payer.get_by_label("Power of all together, in kW").fill("1")
    payer.get_by_label("Windows at most").fill("4")
    payer.keyboard.press("Tab")
    # A kilowatt for two hours at half a pound, four times; the hour that may come twice in autumn is set aside, too.
    expect(payer.get_by_text("\N{POUND SIGN}6.00").first).to_be_visible()
    payer.get_by_role("button", name="Offer it", exact=True).click()
    payer.get_by_role("button", name="Press again to set the money aside").click()
    promise = member.get_by_role("button", name="Promise it").first
    expect(promise).to_be_visible()
    promise.click()
    member.get_by_role("button", name="Bind yourself?").click()
    expect(member.get_by_text("for operator, 1.0\N{NO-BREAK SPACE}kW until")).to_be_visible()
    expect(payer.get_by_text("accepted 1 times")).to_be_visible()
    assert _serious(member) == []
    payer.get_by_role("button", name="Take back").last.click()
    payer.get_by_role("button", name="Press again to take it back").click()
    expect(payer.get_by_text("Nobody can accept it any more.")).to_be_visible()
    expect(member.get_by_text("No contract is on offer")).to_be_visible()


@pytest.mark.row("W2")
def test_a_link_to_a_trial_is_tried_at_once_with_its_curves_and_a_trial_can_be_ended(sits_at: Visit) -> None:
    page = sits_at("operator").go("/what-if?import_percent=200")
    expect(page.get_by_label("What the grid takes, in % of now")).to_have_value("200")
    figures = page.get_by_label("The next 24 hours, changed")
    expect(figures).to_contain_text("Highest load", timeout=120_000)
    page.get_by_role("button", name="Table").click()
    head = page.locator("figure.charted th[scope=col]").all_inner_texts()
    assert head[1:] == [
        f"{name} (kW)"
        for name in ("Demand alone", "With unmanaged cars", "Smart charging", "With discharging", "As it is")
    ]
    assert page.locator("figure.charted tbody tr").count() > 15
    assert _serious(page) == []
    page.get_by_label("More cars").fill("100")
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_text("0 of 4 plans are made")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled.")).to_be_visible()


@pytest.mark.row("W10")
@pytest.mark.parametrize(("seat", "path"), [("dso", "/grid"), ("operator", "/operator")])
def test_nothing_serious_keeps_anybody_out_and_nothing_is_wider_than_a_small_phone(
    sits_at: Visit, seat: str, path: str
) -> None:
    visitor = sits_at(seat, language="de-DE")
    # Open on its side, then turned and on a smaller one: what was drawn wide becomes narrow with its window.
    visitor.page.set_viewport_size({"width": 844, "height": 390})
    page = visitor.go(path)
    expect(page.locator(".chart canvas, .chart svg").first).to_be_visible()
    page.set_viewport_size({"width": 320, "height": 640})
    page.wait_for_function("document.documentElement.scrollWidth <= 320")
    assert _serious(page) == []
    page.emulate_media(color_scheme="dark")
    assert _serious(page) == []


@pytest.mark.row("W5")
def test_a_utility_calls_what_a_member_promised_and_states_a_limit_where_it_pays(sits_at: Visit) -> None:
    payer, member = sits_at("utility").go("/grid"), sits_at("member-04", "desktop").go("/deals")
    line = "power of zone street <= 25 kW from 17:00 to 19:00 on 15 November for contract"
    payer.get_by_label("A limit in one line").fill(line)
    expect(payer.get_by_text("a utility speaks of zones in which a contract of its runs")).to_be_visible()
    expect(payer.get_by_text("Nothing stands by")).to_be_visible()
    payer.get_by_role("radio", name="when I call it").check()
    payer.get_by_label("Price of a kWh, in GBP").fill("0.40")
    payer.get_by_label("Power of all together, in kW").fill("1")
    payer.get_by_label("Windows at most").fill("3")
    payer.keyboard.press("Tab")
    payer.get_by_role("button", name="Offer it", exact=True).click()
    payer.get_by_role("button", name="Press again to set the money aside").click()
    expect(member.get_by_text("utility pays when it calls for it")).to_be_visible()
    member.get_by_role("button", name="Promise it").first.click()
    member.get_by_role("button", name="Bind yourself?").click()
    expect(payer.get_by_label("Stands by")).to_contain_text("1 promised")
    payer.get_by_role("button", name="Call it").click()
    payer.get_by_role("button", name="Press again to call it").last.click()
    expect(payer.get_by_text("Nothing stands by")).to_be_visible()
    expect(payer.get_by_label("of utility", exact=False).first).to_contain_text("called")
    payer.get_by_label("A limit in one line").fill(line)
    payer.get_by_role("button", name="State it").click()
    expect(payer.get_by_label("What stands", exact=True)).to_contain_text("25 kW")
    assert _serious(payer) == []


@pytest.mark.row("W10")
def test_a_member_puts_their_home_on_the_operators_map_and_takes_it_off_again(sits_at: Visit) -> None:
    operator, member = sits_at("operator", "desktop"), sits_at("member-06").go("/devices")
    expect(operator.go("/operator").get_by_text("No places on the map")).to_be_visible()
    member.get_by_label("Latitude, longitude").fill("48.2082; 16.3738")
    member.keyboard.press("Tab")
    member.get_by_role("button", name="Put it on the map").click()
    expect(member.get_by_text("48.208200, 16.373800")).to_be_visible()
    assert _serious(member) == []
    page = operator.go("/operator")
    drawn = page.locator("figure.pictured").filter(has_text="Where homes stand")
    expect(drawn.locator("circle.home")).to_have_count(1)
    drawn.get_by_role("button", name="Table").click()
    expect(drawn.locator("tbody")).to_contain_text("48.208200, 16.373800")
    assert _serious(page) == []
    member.get_by_role("button", name="Take it off the map").click()
    expect(member.get_by_text("Nobody knows where your home stands.")).to_be_visible()


@pytest.mark.row("W10")
@pytest.mark.parametrize(
    ("seat", "path", "shows"),
    [
        ("tso", "/grid", "State a limit"),
        ("aggregator", "/grid", "Offer a contract"),
        ("installer", "/devices", "battery-0"),
        ("member-03", "/keys", "Bring a key"),
        ("member-03", "/devices", "Where your home stands"),
    ],
)
def test_every_seat_of_the_demo_finds_something_of_its_own_and_nothing_serious(
    sits_at: Visit, seat: str, path: str, shows: str
) -> None:
    page = sits_at(seat).go(path)
    expect(page.locator(".content")).to_contain_text(shows)
    assert _serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_key_from_a_file_that_nobody_registered_is_named_for_who_registers_it(sits_at: Visit) -> None:
    key = SigningKey.generate()
    file = write_keystore(key, b"open sesame, now", cost=Cost(n=2, r=1))
    page = sits_at("member-03").go("/keys")
    page.get_by_label("From a file").set_input_files({"name": "k.json", "mimeType": "text/plain", "buffer": file})
    page.get_by_label("Passphrase of the file").fill("open sesame, now")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Sign with this key").click()
    page.get_by_role("button", name="It will be kept here. Bring it?").click()
    said = page.locator(".card.error")
    expect(said).to_contain_text("who brings a key has it registered for their account first")
    expect(said).to_contain_text(key.public.hex())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert _serious(page) == []
    expect(page.get_by_label("Passphrase of the file")).to_have_value("")


def test_a_member_finds_neither_page(sits_at: Visit) -> None:
    visitor = sits_at("member-01")
    for path in ("/grid", "/operator"):
        assert visitor.context.request.get(f"{visitor.address}{path}").status == 403


@pytest.mark.row("X3")
def test_an_owner_lets_the_grid_look_at_their_home_and_ends_it(sits_at: Visit) -> None:
    grid = sits_at("dso")
    seen = grid.go("/grid").locator(".card", has=grid.page.get_by_role("heading", name="Homes that let you look"))
    expect(seen).to_contain_text("No owner lets you look")
    page = sits_at("member-02").go("/keys")
    page.get_by_label("Who").select_option(label="grid (dso)")
    page.get_by_role("button", name="Let them look").click()
    expect(page.locator(".content")).to_contain_text("may look, until")
    expect(seen).to_contain_text("member-02: ")
    assert _serious(page) == [] and _serious(grid.page) == []
    page.get_by_role("button", name="End it").click()
    expect(seen).to_contain_text("No owner lets you look")
