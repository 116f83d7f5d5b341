"""What an inventory kept is there after a kill, and what was ordered meanwhile too."""

import sqlite3
import stat
from pathlib import Path

import pytest

from commonwatt.adapters.stores.inventory import InventoryFile
from commonwatt.flows.inventory import Health, Mark, Note, Record
from commonwatt.flows.inventory_ports import Deed, Order
from commonwatt.metering.parting import Exchange
from commonwatt.model import AssetId, Corrupt, Nameplate

pytestmark = pytest.mark.row("W11")
BATTERY = AssetId("battery")
RECORD = Record(
    number=1,
    asset=BATTERY,
    driver="sunspec",
    url="tcp://192.0.2.7:502",
    added_s=5,
    nameplate=Nameplate(make="Acme", serial="A-1"),
    lately_s=(7, 8),
    ended_s=9,
    ended_as=Health.REPLACED,
    import_wh=4,
)
NOTE = Note(at_s=9, number=1, asset=BATTERY, mark=Mark.REPLACED, words="replaced by the owner")
ORDER = Order(
    deed=Deed.REPLACE, asset=BATTERY, at_s=9, by="the owner", exchange=Exchange(at_s=9, last=(4, 0), first=(0, 0))
)


def test_what_was_kept_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "inventory.sqlite"
    with InventoryFile(path) as shelf, InventoryFile(path) as another_process:
        shelf.keep([RECORD], [NOTE])
        another_process.order(ORDER)
        ((place, order),) = shelf.orders()
        assert order == ORDER
        shelf.keep([RECORD], [NOTE], [place])
    with InventoryFile(path) as shelf:
        assert shelf.records() == [RECORD]
        assert shelf.history(BATTERY) == shelf.history() == [NOTE, NOTE]
        assert shelf.history(AssetId("car")) == []
        assert shelf.orders() == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_all_is_kept_or_nothing(tmp_path: Path) -> None:
    with InventoryFile(tmp_path / "inventory.sqlite") as shelf:
        orphan = Note(at_s=9, number=2, asset=BATTERY, mark=Mark.SEEN, words="of a device that is not here")
        with pytest.raises(sqlite3.IntegrityError):
            shelf.keep([RECORD], [NOTE, orphan])
        assert shelf.records() == []
        assert shelf.history() == []


def test_what_is_no_record_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "inventory.sqlite"
    with InventoryFile(path) as shelf:
        shelf.keep([RECORD])
        db = sqlite3.connect(path)
        with db:
            db.execute("UPDATE device SET record = x'7b7d'")
        db.close()
        with pytest.raises(Corrupt, match="holds no Record"):
            shelf.records()
