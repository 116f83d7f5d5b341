"""A device that is silent is alarmed of once, one that babbles is not believed, and nothing of its life is lost."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watched_bench import BATTERY, NOON_S, Labelled, NoCounts, Scene

from commonwatt.flows.inventory import Health, Mark, Record
from commonwatt.flows.inventory_ports import Deed, Order
from commonwatt.flows.watching import Inventory, Watched, alarms
from commonwatt.metering.parting import Exchange
from commonwatt.model import Band, Command, DeviceState, InvalidValue, Nameplate, Unreachable

pytestmark = pytest.mark.row("W11")


def look(scene: Scene, watched: Watched, seconds: int = 10) -> DeviceState | None:
    """Let time pass and read; None where there is no reading to be used."""
    scene.clock.now_s += seconds
    try:
        return asyncio.run(watched.read())
    except (Unreachable, InvalidValue):
        return None


def command(scene: Scene) -> Command:
    return Command(
        id="c1",
        asset=BATTERY.id,
        band=Band(lo_w=1_000, hi_w=1_000),
        expires=scene.clock() + timedelta(seconds=60),
        reason="test",
    )


def test_a_device_is_new_until_it_was_read_and_healthy_from_then_on() -> None:
    scene = Scene()
    watched = scene.watched()
    assert watched.record.health is Health.NEW
    assert look(scene, watched) is not None
    assert watched.record.health is Health.HEALTHY
    assert (watched.record.first_seen_s, watched.record.last_good_s) == (NOON_S + 10, NOON_S + 10)
    assert scene.marks() == [Mark.ADDED, Mark.SEEN]


def test_silence_raises_one_alarm_and_its_end_one_all_clear() -> None:
    scene = Scene()
    watched = scene.watched()
    look(scene, watched)
    scene.device.fails = Unreachable("no answer from the meter")
    for _ in range(100):
        look(scene, watched)
    assert scene.marks()[2:] == [Mark.SILENT]
    assert [record.number for record in alarms(list(scene.inventory.records.values()))] == [1]
    assert (watched.record.failures, watched.record.trouble) == (100, "no answer from the meter")
    scene.device.fails = None
    for _ in range(3):
        look(scene, watched)
    assert scene.marks()[2:] == [Mark.SILENT, Mark.BACK]
    assert (watched.record.health, watched.record.failures) == (Health.HEALTHY, 0)


def test_silence_while_nobody_asked_is_no_alarm() -> None:
    scene = Scene()
    watched = scene.watched()
    look(scene, watched)
    scene.device.fails = Unreachable("gone")
    look(scene, watched, 86_400)  # the first question in a day
    assert Mark.SILENT not in scene.marks()
    look(scene, watched, 119)
    assert Mark.SILENT not in scene.marks()
    look(scene, watched, 1)
    assert Mark.SILENT in scene.marks()


def test_an_alarm_stands_across_a_restart_of_the_gateway() -> None:
    scene = Scene()
    watched = scene.watched()
    scene.device.fails = Unreachable("gone")
    for _ in range(20):
        look(scene, watched)
    again = Inventory(scene.shelf, scene.clock, scene.heard.append)
    watched = again.watch(BATTERY, scene.device, "paper", "paper://1")
    assert watched.record.health is Health.SILENT
    for _ in range(20):
        look(scene, watched)
    assert scene.marks().count(Mark.SILENT) == 1


def test_three_answers_that_cannot_be_true_bring_a_device_into_quarantine_and_five_good_ones_out() -> None:
    scene = Scene()
    watched = scene.watched()
    look(scene, watched)
    scene.device.fails = InvalidValue("frequency of 5 Hz")
    for _ in range(2):
        look(scene, watched)
        assert watched.record.health is Health.HEALTHY
    look(scene, watched)
    assert watched.record.health is Health.QUARANTINED
    assert "frequency of 5 Hz" in scene.heard[-1].words
    scene.device.fails = None
    assert [look(scene, watched) is not None for _ in range(6)] == [False, False, False, False, True, True]
    assert scene.marks()[2:] == [Mark.QUARANTINED, Mark.RELEASED]


def test_nonsense_now_and_then_is_borne() -> None:
    scene = Scene()
    watched = scene.watched()
    for _ in range(20):
        scene.device.fails = InvalidValue("garbled")
        assert look(scene, watched, 300) is None
        scene.device.fails = None
        assert look(scene, watched, 300) is not None
    assert Mark.QUARANTINED not in scene.marks()
    assert watched.record.nonsense == 20


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"import_wh": 0}, "ran backwards"),
        ({"export_wh": 499}, "ran backwards"),
        ({"import_wh": 9_000_000}, "above registered limit"),
        ({"power_w": 5_601}, "power beyond"),
        ({"power_w": -5_601}, "power beyond"),
        ({"at_ahead_s": 301}, "it shows what will be"),
    ],
)
def test_what_cannot_be_true_of_its_asset_brings_a_device_into_quarantine_at_once(
    changes: dict[str, int], words: str
) -> None:
    scene = Scene()
    watched = scene.watched()
    look(scene, watched)
    good = {name: getattr(scene.device, name) for name in changes}
    for name, value in changes.items():
        setattr(scene.device, name, value)
    assert look(scene, watched) is None
    assert watched.record.health is Health.QUARANTINED
    assert words in scene.heard[-1].words
    for _ in range(20):
        assert look(scene, watched) is None, "as long as it goes on it is not believed"
    for name, value in good.items():
        setattr(scene.device, name, value)
    assert [look(scene, watched) is not None for _ in range(5)] == [False] * 4 + [True]


def test_a_clock_that_is_wrong_by_an_hour_is_alarmed_of_once_and_no_reason_not_to_believe_a_reading() -> None:
    class Ticking(Labelled):
        clock_ahead_s: int | None = None

    scene = Scene()
    device = Ticking(scene.clock)
    watched = scene.watched(device)
    assert look(scene, watched) is not None
    assert watched.record.ahead_s is None
    device.clock_ahead_s = -3_600
    for _ in range(3):
        assert look(scene, watched) is not None, "its readings bear our time"
    assert scene.marks().count(Mark.SKEWED) == 1
    assert scene.heard[-1].words == "its clock is 3600 s behind, limit 300 s"
    assert [one.number for one in alarms([watched.record])] == [1]
    device.clock_ahead_s = None
    assert look(scene, watched) is not None
    assert watched.record.alarmed, "who tells nothing more has not set it right"
    device.clock_ahead_s = 300
    assert look(scene, watched) is not None
    assert scene.marks()[-1] is Mark.RIGHTED
    assert alarms([watched.record]) == []


def test_a_device_in_quarantine_is_let_go_once_and_told_nothing() -> None:
    scene = Scene()
    watched = scene.watched()
    look(scene, watched)
    assert asyncio.run(watched.apply(command(scene))).taken is not None
    scene.device.power_w = 50_000
    for _ in range(3):
        look(scene, watched)
    assert scene.device.released == 1
    ack = asyncio.run(watched.apply(command(scene)))
    assert ack.taken is None
    assert "in quarantine" in ack.why
    assert (len(scene.device.told), scene.device.released) == (1, 1)
    asyncio.run(watched.release())
    assert scene.device.released == 2, "whoever asks for the safe default gets it"


def test_a_device_that_could_not_be_let_go_is_tried_again() -> None:
    scene = Scene()
    watched = scene.watched()
    look(scene, watched)
    asyncio.run(watched.apply(command(scene)))
    scene.device.fails = InvalidValue("garbled")
    for _ in range(4):
        look(scene, watched)
    assert scene.device.released == 0
    scene.device.fails = None
    look(scene, watched)
    assert scene.device.released == 1


def test_a_drivers_bug_is_its_devices_trouble_alone() -> None:
    scene = Scene()
    watched = scene.watched()
    scene.device.fails = KeyError("power")
    with pytest.raises(InvalidValue, match="KeyError"):
        asyncio.run(watched.read())
    assert asyncio.run(watched.apply(command(scene))).taken is None
    with pytest.raises(Unreachable):
        asyncio.run(watched.release())


def test_an_operator_releases_a_device_and_it_goes_back_if_it_goes_on() -> None:
    scene = Scene()
    watched = scene.watched()
    scene.device.power_w = 50_000
    look(scene, watched)
    scene.shelf.order(Order(deed=Deed.RELEASE, asset=BATTERY.id, at_s=NOON_S, by="the operator"))
    assert len(scene.inventory.take_orders(NoCounts())) == 1
    assert scene.shelf.orders() == []
    assert watched.record.health is not Health.QUARANTINED
    assert scene.heard[-1].words == "released by the operator"
    look(scene, watched)
    assert watched.record.health is Health.QUARANTINED


def test_counters_that_were_announced_to_be_set_back_may_fall() -> None:
    scene = Scene()
    watched = scene.watched()
    look(scene, watched)
    scene.device.import_wh = scene.device.export_wh = 0
    assert look(scene, watched) is None
    exchange = Exchange(at_s=scene.clock.now_s, last=(1_000, 500))
    scene.shelf.order(Order(deed=Deed.RESET, asset=BATTERY.id, at_s=NOON_S, by="the owner", exchange=exchange))
    scene.inventory.take_orders(NoCounts())
    assert look(scene, watched) is not None


def test_a_nameplate_is_noted_and_new_firmware_too() -> None:
    scene = Scene()
    device = Labelled(scene.clock)
    watched = scene.watched(device)
    look(scene, watched)
    assert watched.record.nameplate.serial == "A-1"
    device.nameplate = Nameplate(make="Acme", model="B1", serial="A-1", firmware="2")
    look(scene, watched, 3_600)
    assert "firmware 1 -> Acme B1 firmware 2" in scene.heard[-1].words
    assert watched.record.health is Health.HEALTHY


def test_another_device_in_its_place_is_not_believed_however_well_it_speaks() -> None:
    scene = Scene()
    device = Labelled(scene.clock)
    watched = scene.watched(device)
    look(scene, watched)
    device.nameplate = Nameplate(serial="B-2")
    device.fails = Unreachable("unplugged")
    look(scene, watched)
    device.fails = None
    for _ in range(20):
        assert look(scene, watched) is None
    assert "B-2" in watched.record.trouble
    device.nameplate = Nameplate(serial="A-1")
    assert any(look(scene, watched) for _ in range(5))


def test_another_device_that_does_not_say_at_once_who_it_is_is_asked_until_it_does() -> None:
    class Slow(Labelled):
        mute = False

        async def identity(self) -> Nameplate:
            if self.mute:
                raise Unreachable("it says nothing of itself yet")
            return await super().identity()

    scene = Scene()
    device = Slow(scene.clock)
    watched = scene.watched(device)
    look(scene, watched)
    device.fails = Unreachable("unplugged")
    look(scene, watched)
    device.fails, device.mute, device.nameplate = None, True, Nameplate(serial="B-2")
    assert look(scene, watched) is not None, "nobody knows better yet"
    device.mute = False
    assert look(scene, watched) is None
    assert "B-2" in watched.record.trouble


def test_the_old_device_that_speaks_again_after_it_was_replaced_is_refused() -> None:
    scene = Scene()
    old_device = Labelled(scene.clock)
    old = scene.watched(old_device)
    look(scene, old)
    scene.shelf.order(
        Order(deed=Deed.REPLACE, asset=BATTERY.id, at_s=NOON_S, by="the owner", driver="paper", url="paper://2")
    )
    scene.inventory.take_orders(NoCounts())
    new_device = Labelled(scene.clock, nameplate=Nameplate(serial="B-2"))
    new = scene.inventory.watch(BATTERY, new_device, "paper", "paper://2")
    assert (old.record.number, new.record.number) == (1, 2)
    for _ in range(3):
        assert look(scene, old) is None
        assert look(scene, new) is not None
    assert asyncio.run(old.apply(command(scene))).taken is None
    assert scene.marks().count(Mark.REFUSED) == 1
    new_device.nameplate = old_device.nameplate  # somebody plugged the old one in at the new one's place
    look(scene, new, 3_600)
    assert new.record.health is Health.QUARANTINED
    assert "was replaced, and speaks again" in new.record.trouble
    assert {note.number for note in scene.shelf.history(BATTERY.id)} == {1, 2}


def test_a_disk_that_refuses_loses_no_history() -> None:
    scene = Scene()
    watched = scene.watched()
    scene.shelf.full = True
    look(scene, watched)
    scene.device.power_w = 50_000
    look(scene, watched)
    assert "no space" in scene.inventory.trouble
    scene.shelf.full = False
    look(scene, watched, 60)
    assert scene.shelf.notes == scene.heard
    assert scene.inventory.trouble == ""


DEEDS = st.sampled_from(["good", "good", "gone", "garbled", "fell", "beyond", "ahead", "release", "restart", "full"])


@settings(max_examples=200)
@given(st.lists(st.tuples(DEEDS, st.sampled_from([1, 10, 60, 130, 700])), max_size=60))
def test_alarms_alternate_nothing_from_quarantine_is_used_and_history_is_never_lost(
    deeds: list[tuple[str, int]],
) -> None:
    scene = Scene()
    watched = scene.watched()
    for deed, seconds in deeds:
        scene.shelf.full = deed == "full"
        if deed == "restart":
            scene.inventory.keep()
            scene.inventory = Inventory(scene.shelf, scene.clock, scene.heard.append)
            watched = scene.watched()
            continue
        if deed == "release":
            scene.shelf.order(Order(deed=Deed.RELEASE, asset=BATTERY.id, at_s=scene.clock.now_s, by="test"))
            scene.inventory.take_orders(NoCounts())
        scene.device.fails = {"gone": Unreachable("gone"), "garbled": InvalidValue("garbled")}.get(deed)
        scene.device.import_wh = 999 if deed == "fell" else 1_000
        scene.device.power_w = 6_000 if deed == "beyond" else 0
        scene.device.at_ahead_s = 1_000 if deed == "ahead" else 0
        before = watched.record
        state = look(scene, watched, seconds)
        if state is not None:
            assert deed not in ("gone", "garbled", "beyond", "ahead")
            assert watched.record.health is Health.HEALTHY
            assert before.import_wh in (None, state.import_wh) or (state.import_wh or 0) > (before.import_wh or 0)
        elif deed in ("good", "full"):
            assert watched.record.health is Health.QUARANTINED
    scene.shelf.full = False
    scene.inventory.keep()
    assert scene.shelf.notes == scene.heard
    assert scene.shelf.kept == dict(scene.inventory.records)
    for pair in ((Mark.SILENT, Mark.BACK), (Mark.QUARANTINED, Mark.RELEASED)):
        told = [mark for mark in scene.marks() if mark in pair]
        assert told == [pair[place % 2] for place in range(len(told))]
    stands: Record = watched.record
    assert (stands.silent_s is not None) == (scene.marks().count(Mark.SILENT) > scene.marks().count(Mark.BACK))
