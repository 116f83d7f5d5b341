"""One bad message costs no good one, and a relay's answers are taken in the order in which they mean something."""

from datetime import UTC, datetime, timedelta

import pytest
from mqtt_assets import BOILER

from commonwatt.adapters.devices.driver import DeviceSpec
from commonwatt.adapters.devices.mqtt.memory import Memory
from commonwatt.adapters.devices.mqtt.profiles import profile_of
from commonwatt.adapters.devices.mqtt.translate import Value
from commonwatt.model import Band, InvalidValue

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_garbage_on_one_topic_is_over_when_another_tells_the_same() -> None:
    values = [Value(field="power_w", topic="a"), Value(field="power_w", topic="b")]
    memory = Memory(values, timedelta(seconds=180))
    memory.hear("b", b"garbage", NOON)
    with pytest.raises(InvalidValue):
        memory.state(NOON + SECOND, "it")
    memory.hear("a", b"5", NOON + 2 * SECOND)
    assert memory.state(NOON + 3 * SECOND, "it").power_w == 5
    memory.hear("b", b"garbage", NOON + 4 * SECOND)
    with pytest.raises(InvalidValue):
        memory.state(NOON + 5 * SECOND, "it")


@pytest.mark.parametrize(("rests", "state"), [("on", 5), ("off", 0)])
def test_a_tasmota_relay_is_held_only_when_its_timer_was_set_before_it_was_switched(rests: str, state: int) -> None:
    settings = {"profile": "tasmota", "falls_back_to": rests}
    spec = DeviceSpec(asset=BOILER.id, driver="mqtt", url="mqtt://broker/plug", settings=settings)
    orders = profile_of(BOILER, spec, "plug")[1].orders
    assert orders is not None
    order = orders.hold(Band(lo_w=0, hi_w=0), 30)
    assert f"PowerOnState {state};".encode() in order.notes[0].payload
    assert order.hear is not None
    assert order.hear("t", b'{"PowerOnState":%d}' % state) is None
    assert order.hear("t", b'{"POWER":"OFF"}') is None, "it was off before, and its timer is not set"
    assert order.hear("t", b'{"PulseTime1":{"Set":130,"Remaining":130}}') is None
    assert order.hear("t", b'{"POWER":"OFF"}') is not None
