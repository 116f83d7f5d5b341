"""A calendar's secret is good until a newer one or a no, and is nowhere in the file."""

import stat
from pathlib import Path

from commonwatt.adapters.stores.feed_file import SECRET_BYTES, FeedFile
from commonwatt.model import AccountId

ANNA, BEN = AccountId("member-01"), AccountId("member-02")


def test_a_new_address_ends_the_one_before_and_nobody_elses(tmp_path: Path) -> None:
    with FeedFile(tmp_path / "feeds.sqlite", lambda: 1_000) as feeds:
        first, other, second = feeds.make(ANNA), feeds.make(BEN), feeds.make(ANNA)
        assert [feeds.account(secret) for secret in (first, other, second)] == [None, BEN, ANNA]
        assert feeds.made_s(ANNA) == 1_000 and len(second) > SECRET_BYTES


def test_what_is_revoked_is_good_no_more_and_is_revoked_once(tmp_path: Path) -> None:
    with FeedFile(tmp_path / "feeds.sqlite", lambda: 1_000) as feeds:
        secret = feeds.make(ANNA)
        assert feeds.revoke(ANNA) and not feeds.revoke(ANNA)
        assert feeds.account(secret) is None and feeds.made_s(ANNA) is None


def test_the_file_outlives_its_process_and_holds_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "feeds.sqlite"
    with FeedFile(path, lambda: 1_000) as feeds:
        secret = feeds.make(ANNA)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not any(secret.encode() in file.read_bytes() for file in tmp_path.iterdir())
    with FeedFile(path, lambda: 2_000) as feeds:
        assert feeds.account(secret) == ANNA
