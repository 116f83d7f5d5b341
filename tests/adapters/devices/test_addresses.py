"""An address is read in one way for all drivers, and one that is none is refused in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.adapters.devices.addresses import NAMED, NO_PORT, Address, address_of
from commonwatt.model import InvalidValue

PORTS = {"tcp": NAMED, "modbus": 502, "can": NO_PORT}


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("tcp://192.0.2.7:2001", Address("tcp", "192.0.2.7", 2001)),
        ("tcp://[2001:db8::7]:2001", Address("tcp", "2001:db8::7", 2001)),
        ("modbus://inverter.lan", Address("modbus", "inverter.lan", 502)),
        ("modbus://inverter.lan:1502/", Address("modbus", "inverter.lan", 1502)),
        ("can://socketcan/can0", Address("can", "socketcan", NO_PORT, "can0")),
    ],
)
def test_an_address_names_who_is_called_and_where(url: str, address: Address) -> None:
    assert address_of(url, "tcp://host:port", PORTS) == address


@pytest.mark.parametrize(
    "url", ["", "tcp://", "tcp://host", "tcp://host:0x7", "tcp://host:70000", "udp://host:1", "can://x:1/y", "//h:1"]
)
def test_what_is_no_address_is_refused_with_what_one_looks_like(url: str) -> None:
    with pytest.raises(InvalidValue, match="an address is like tcp://host:port, was"):
        address_of(url, "tcp://host:port", PORTS)


@given(st.text())
def test_no_text_gets_through_as_anything_else_than_an_address(url: str) -> None:
    try:
        found = address_of(url, "tcp://host:port", PORTS)
    except InvalidValue:
        return
    assert found.scheme in PORTS
    assert found.host
