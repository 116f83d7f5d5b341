import asyncio
from dataclasses import replace

import pytest
from lived import LivedStreet, open_community

from commonwatt.apps import keyring, wishes
from commonwatt.apps.api.held import FREE, Free
from commonwatt.apps.community import Community
from commonwatt.apps.views import diary, home
from commonwatt.apps.views.seeing import Unseen
from commonwatt.apps.wiring import open_key
from commonwatt.flows.rulebook import bodies
from commonwatt.identity.access import Action
from commonwatt.identity.keys import SigningKey
from commonwatt.identity.keystore import Cost, write_keystore
from commonwatt.identity.seat import Role, Seat
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.model import AccountId, CommonwattError, Kind, Refused

ME, OTHER = AccountId("member-01"), AccountId("member-02")
SEAT = Seat(person="member-01", role=Role.MEMBER, account=ME)


def test_an_own_key_leaves_under_a_passphrase_and_for_nobody_else(lived: LivedStreet) -> None:
    community = Community(lived.folder, lambda: lived.end_s, lambda: None)
    community.catch_up()
    pem = asyncio.run(keyring.take_along(community, SEAT, FREE, ME, "correct horse battery"))
    key = SigningKey.from_pem(pem, b"correct horse battery")
    assert [key.public.hex()] == keyring.keyring(community, SEAT, ME).own
    with pytest.raises(Refused, match="passphrase"):
        SigningKey.from_pem(pem, b"another")
    with pytest.raises(Refused, match="twelve characters"):
        asyncio.run(keyring.take_along(community, SEAT, FREE, ME, "short"))
    with pytest.raises(Unseen):
        asyncio.run(keyring.take_along(community, SEAT, FREE, OTHER, "correct horse battery"))
    with pytest.raises(Refused, match="signed in themselves"):
        asyncio.run(keyring.take_along(community, replace(SEAT, scopes=("trade",)), FREE, ME, "correct horse battery"))
    community.close()


def test_a_key_made_elsewhere_signs_once_it_is_registered_and_the_one_before_is_not_lost(
    lived_copy: LivedStreet,
) -> None:
    async def story() -> None:
        async with open_community(lived_copy) as community:
            noted: list[Happened] = []
            community.note = lambda seat, what, told: noted.append(what)
            (before,) = keyring.keyring(community, SEAT, ME).own
            fresh = SigningKey.generate()
            file = write_keystore(fresh, b"open sesame, now", cost=Cost(n=2, r=1)).decode()
            with pytest.raises(Refused, match="registered for their account first") as refused:
                await keyring.bring(community, SEAT, FREE, ME, file, "open sesame, now")
            assert refused.value.found == {"public": fresh.public.hex()}
            whose = {"account": OTHER, "role": "member"}
            told = {"what": "key", "public": fresh.public.hex(), "alg": "secp256k1", **whose}
            body = bodies.read_body(Kind.REGISTER, told | {"account": ME})
            await community.send(AccountId("operator"), Kind.REGISTER, body)  # type: ignore[arg-type]
            for wrong in ("another", ""):
                with pytest.raises(Refused):
                    await keyring.bring(community, SEAT, FREE, ME, file, wrong)
            with pytest.raises(Refused):
                other = Seat(person="member-02", role=Role.MEMBER, account=OTHER)
                await keyring.bring(community, other, FREE, OTHER, file, "open sesame, now")
            with pytest.raises(Refused, match="once more"):
                await keyring.bring(community, SEAT, LeftOpen(), ME, file, "open sesame, now")
            assert noted == []
            assert await keyring.bring(community, SEAT, FREE, ME, file, "open sesame, now") == fresh.public.hex()
            assert noted == [Happened.KEY_BROUGHT]
            give = {"what": "give", "target": OTHER, "commodity": "ergon_micro", "amount": 1}
            await wishes.granted(community, SEAT, Action.SEND_TOKENS, ME, Kind.TRANSFER, give)
            last = community.chronicle.leaves(limit=1)[0]
            assert last.author == fresh.id
            kept = sorted(path.name for path in (lived_copy.folder / "keys").glob(f"{ME}*.pem"))
            assert len(kept) == 2 and all(
                (lived_copy.folder / "keys" / name).stat().st_mode & 0o777 == 0o600 for name in kept
            )
            assert open_key(lived_copy.folder, kept[0].removesuffix(".pem")).public.hex() == before

    asyncio.run(story())


@pytest.mark.parametrize("content", ["", "{}", "not a key", "0x" + "00" * 32, "word " * 12, "x" * 20_000])
def test_what_is_no_key_is_refused_and_changes_nothing(lived: LivedStreet, content: str) -> None:
    community = Community(lived.folder, lambda: lived.end_s, lambda: None)
    community.catch_up()
    with pytest.raises(CommonwattError):
        asyncio.run(keyring.bring(community, SEAT, FREE, ME, content, "whatever it is"))
    assert not community.reading_key
    community.close()


class LeftOpen(Free):
    """In place of a session whose owner came in an hour ago."""

    def need_fresh(self) -> None:
        raise Refused("sign in once more")


def test_a_screen_that_was_left_open_gives_no_key_away_and_lets_none_act(lived: LivedStreet) -> None:
    community = Community(lived.folder, lambda: lived.end_s, lambda: None)
    community.catch_up()
    with pytest.raises(Refused, match="once more"):
        asyncio.run(keyring.take_along(community, SEAT, LeftOpen(), ME, "correct horse battery"))
    with pytest.raises(Refused, match="once more"):
        asyncio.run(keyring.let_act(community, SEAT, LeftOpen(), ME, "02" * 33, lived.end_s + 60))
    community.close()


def test_another_key_acts_for_somebody_until_they_end_it(lived_copy: LivedStreet) -> None:
    async def story() -> None:
        async with open_community(lived_copy) as community:
            other = Seat(person="member-02", role=Role.MEMBER, account=OTHER)
            (public,) = keyring.keyring(community, other, OTHER).own
            await keyring.let_act(community, SEAT, FREE, ME, f" {public.upper()} ", lived_copy.end_s + 86_400)
            (one,) = keyring.keyring(community, SEAT, ME).delegates
            assert (one.public, one.account, one.kinds) == (public, OTHER, keyring.LETS)
            assert {"order", "transfer", "constraint", "consent", "inspect"} <= set(one.kinds)
            looked_at, own = home.home(community, other, ME), home.home(community, SEAT, ME)
            assert own.ergon_micro is not None and own.today.paid_micro is not None and looked_at.flow == own.flow
            money = (looked_at.ergon_micro, looked_at.today.paid_micro, looked_at.today.alone_micro)
            assert money == (None, None, None), "who may look at meters sees no money"
            assert "register" not in one.kinds and "delegate" not in one.kinds
            await keyring.end_acting(community, SEAT, ME, public)
            assert keyring.keyring(community, SEAT, ME).delegates == []
            with pytest.raises(Unseen):
                await wishes.wish(community, other, Action.SEND_TOKENS, ME, Kind.TRANSFER, {})

    asyncio.run(story())


def test_who_runs_the_wires_looks_at_a_home_as_long_as_its_owner_lets_them(lived_copy: LivedStreet) -> None:
    async def story() -> None:
        async with open_community(lived_copy) as community:
            grid = Seat(person="grid", role=Role.DSO, account=AccountId("grid"))
            now_s = lived_copy.end_s
            assert diary.lent(community, grid, 0, now_s) == []
            (dso,) = [one for one in keyring.lookers(community, ME) if one.role == "dso"]
            await keyring.let_act(community, SEAT, FREE, ME, dso.public, now_s + 86_400, keyring.TO_LOOK)
            seen = diary.lent(community, grid, 0, now_s)
            assert {one.owner for one in seen} == {ME} and all(one.last is not None for one in seen)
            other = next(asset for asset in community.state.assets.values() if asset.owner == OTHER)
            with pytest.raises(Unseen):
                diary.readings(community, grid, other.id, 0, now_s)
            await keyring.end_acting(community, SEAT, ME, dso.public)
            assert diary.lent(community, grid, 0, now_s) == []

    asyncio.run(story())
