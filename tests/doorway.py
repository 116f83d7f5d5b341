"""An entrance for tests: on a real file, with a clock that is set by hand, and passwords that hash fast."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pyotp

from commonwatt.adapters.stores.people import PeopleFile
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.flows.entrance import coming_in, enrolling, placing, sitting
from commonwatt.flows.entrance.hall import Hall
from commonwatt.flows.entrance.records import Person, Way, Where
from commonwatt.flows.entrance.sitting import Sitting
from commonwatt.identity.keys import SigningKey, VerifyingKey
from commonwatt.identity.seat import Role
from commonwatt.identity.signing_in.passwords import Passwords
from commonwatt.identity.signing_in.site import Site
from commonwatt.model import AccountId, CommunityId

OPERATOR = SigningKey.from_seed(b"entrance", "operator")
SITE = Site(name="sun street", origin="https://sun.example")
HERE = Where(address="192.0.2.1", device="a browser")
THERE = Where(address="198.51.100.7", device="another")
PASSWORD = "correct horse battery"
START_S = 1_790_000_000


@dataclass
class Clock:
    now_s: int = START_S

    def __call__(self) -> int:
        return self.now_s

    def passes(self, seconds: int) -> None:
        self.now_s += seconds


def doorway(folder: Path, clock: Clock | None = None, site: Site = SITE) -> Hall:
    return Hall(
        people=PeopleFile(folder / "people.sqlite", MasterKey.in_file(folder / "master.key")),
        site=site,
        community=CommunityId("sun-street"),
        operator=VerifyingKey(OPERATOR.public),
        now_s=clock or Clock(),
        passwords=Passwords(passes=1, memory_kib=8, lanes=1),
    )


def joined(hall: Hall, name: str, role: Role = Role.MEMBER, account: str | None = None) -> Person:
    """Return a new person of a role."""
    of = AccountId(account or name) if role is Role.MEMBER else None
    return placing.add_person(hall, name, [placing.new_place(hall, role, of)], "test")


def sits(hall: Hall, person: Person, way: Way = Way.DEMO) -> Sitting:
    """Return somebody who just signed in."""
    found = sitting.sit(hall, sitting.sign_in(hall, person, way, HERE), HERE)
    assert found is not None
    return found


def with_password(hall: Hall, person: Person) -> pyotp.TOTP:
    """Give somebody a password, `PASSWORD`, and return their authenticator."""
    here = sits(hall, person)
    secret, _, sealed = enrolling.begin_password(hall, here)
    codes = pyotp.TOTP(secret)
    asyncio.run(enrolling.finish_password(hall, here, sealed, PASSWORD, codes.at(hall.now_s()), HERE))
    return codes


def come_in(hall: Hall, name: str, password: str, code: str, where: Where = HERE) -> Person:
    return asyncio.run(coming_in.with_password(hall, name, password, code, where))
