"""Every page of the app for every role: it opens, or it is refused, as one table says; nothing else may come."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import httpx
import pytest

from browser.entered import lived_folder, serving_entrance
from commonwatt.apps.api.armour import SESSION
from commonwatt.apps.entering import open_hall
from commonwatt.apps.web.pages import PAGES, entrance, notifications
from commonwatt.flows.entrance import placing, sitting
from commonwatt.flows.entrance.records import Way, Where
from commonwatt.identity.seat import Role
from commonwatt.model import AccountId

ALL = frozenset(Role)
SIGNED_IN = ALL - {Role.PUBLIC}
HOLDERS = frozenset({Role.MEMBER, Role.UTILITY, Role.AGGREGATOR})
OPENS = {
    "/": {Role.MEMBER},
    "/schedule": {Role.MEMBER},
    "/operator": {Role.OPERATOR},
    "/grid": {Role.AGGREGATOR, Role.AUDITOR, Role.DSO, Role.TSO, Role.UTILITY},
    "/chain": {Role.MEMBER, Role.OPERATOR, Role.AUDITOR},
    "/market": ALL,
    "/wallet": HOLDERS,
    "/forecast": SIGNED_IN - {Role.INSTALLER, Role.AGGREGATOR},
    "/deals": ALL,
    "/proof": ALL,
    "/proof/reading/{name}/{slot_s}": SIGNED_IN,
    "/proof/entry/{number}": SIGNED_IN,
    "/proof/leaf/{position}": SIGNED_IN,
    "/proof/trade/{slot_s}/{seller}/{buyer}": SIGNED_IN,
    "/devices": {Role.INSTALLER, Role.MEMBER, Role.OPERATOR},
    "/bill": HOLDERS,
    "/keys": HOLDERS,
    "/audit": {Role.AUDITOR},
    "/community": ALL,
    "/what-if": {Role.AUDITOR, Role.OPERATOR},
    "/notifications": SIGNED_IN,
    "/sign-in": ALL,
    "/join": ALL,
    "/veto": ALL,
    "/people": {Role.AUDITOR, Role.OPERATOR},
    "/me": SIGNED_IN,
}
"""Who opens what: written down a second time, so that nobody gains a page by a slip of the pen."""
NO_SUCH = {
    "name": "nothing-at-all",
    "slot_s": "900",
    "number": "99999999",
    "position": "99999999",
    "seller": "a",
    "buyer": "b",
}
ACCOUNTS = {Role.MEMBER: "member-01", Role.UTILITY: "utility", Role.AGGREGATOR: "aggregator"}
PLACED = (*PAGES, notifications.PAGE, *entrance.PAGES)


@dataclass
class Seats:
    """Where the app is, and the secret of a session of each role."""

    address: str = ""
    secrets: dict[Role, str] = field(default_factory=dict)

    def ask(self, role: Role, path: str) -> httpx.Response:
        cookies = {SESSION: self.secrets[role]} if role in self.secrets else {}
        with httpx.Client(verify=False, cookies=cookies, timeout=120) as browser:
            return browser.get(f"{self.address}{path}", headers={"Accept": "text/html"})


@pytest.fixture(scope="module")
def seats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seats]:
    """Serve a lived street's app behind its entrance, in which somebody of each role is signed in."""
    folder, found = lived_folder(tmp_path_factory), Seats()
    hall = open_hall(folder, "https://localhost")
    with closing(hall.people):
        for role in SIGNED_IN:
            account = ACCOUNTS.get(role)
            place = placing.new_place(hall, role, AccountId(account) if account else None, [])
            person = placing.add_person(hall, f"somebody-{role.value}", [place], "test")
            found.secrets[role] = sitting.sign_in(hall, person, Way.PASSKEY, Where(address="127.0.0.1"))
    with serving_entrance(folder) as found.address:
        yield found


def test_every_page_stands_in_the_table_with_its_roles() -> None:
    assert {page.path: set(page.roles) for page in PLACED} == {path: set(roles) for path, roles in OPENS.items()}


@pytest.mark.row("W8")
@pytest.mark.parametrize("role", sorted(ALL))
def test_a_role_opens_its_own_pages_and_is_kept_out_of_every_other(seats: Seats, role: Role) -> None:
    wrong = []
    for path, roles in OPENS.items():
        about = path.format(**NO_SUCH)
        answered = seats.ask(role, about)
        if role not in roles and path == "/" and role is not Role.PUBLIC:
            first = next(page.path for page in PLACED if page.listed and role in OPENS[page.path])
            right = (answered.status_code, answered.headers.get("location")) == (303, first)
        elif role not in roles and role is Role.PUBLIC:
            right = (answered.status_code, answered.headers.get("location")) == (303, f"/sign-in?next={about}")
        elif role not in roles:
            right = answered.status_code == 403 and "this page is for other roles" in answered.text
        elif about != path:  # a page of something that is not there, or that nobody says is there
            # A trade's page tells everybody alike that its entries are for those who traded.
            right = answered.status_code in (200, 403, 404) and "this page is for other roles" not in answered.text
        else:
            right = answered.status_code == 200
        if not right:
            wrong.append((path, answered.status_code, answered.headers.get("location")))
    assert wrong == [], wrong
