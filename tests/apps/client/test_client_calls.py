"""Every operation of the API has a call of the client, which asks for just that; the files are what the routes say."""

import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from commonwatt.apps.api.app import PREFIX, make_app
from commonwatt.apps.api.gate import Gate
from commonwatt.client import Client
from commonwatt.client.calls import Calls

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script that writes the calls."""
    spec = importlib.util.spec_from_file_location("client_script", ROOT / "scripts" / "client.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Noted(httpx.BaseTransport):
    """Notes what is asked, and answers nothing that anybody could use."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.method, request.url.path))
        return httpx.Response(418)


def _operations() -> set[tuple[str, str]]:
    app = make_app(lambda: pytest.fail("nothing is opened to describe the API"), Gate(hall=None))  # type: ignore[arg-type]
    return {(method.upper(), path) for path, told in app.openapi()["paths"].items() for method in told}


def _calls(client: Client) -> Iterator[Any]:
    for name in (name for name in vars(Calls) if not name.startswith("_")):
        group = getattr(client, name)
        for _, call in inspect.getmembers(group, inspect.ismethod):
            if not call.__name__.startswith("_"):
                yield call


def test_every_operation_has_a_call_or_is_left_out_for_a_reason(script: ModuleType) -> None:
    noted = Noted()
    for call in _calls(Client("https://localhost", transport=noted)):
        needed = [one for one in inspect.signature(call).parameters.values() if one.default is one.empty]
        positional = [_given(one.name) for one in needed if one.kind is not one.KEYWORD_ONLY]
        named = {one.name: _given(one.name) for one in needed if one.kind is one.KEYWORD_ONLY}
        with pytest.raises(Exception, match="Teapot"):
            told = call(*positional, **named)
            next(told)
    asked = {(method, path.removeprefix(PREFIX)) for method, path in noted.asked}
    wanted = {f"{method} {path.removeprefix(PREFIX)}" for method, path in _operations()}
    assert script.LEFT_OUT.keys() <= wanted, "what is left out is there"
    assert all(script.LEFT_OUT.values())
    for operation in wanted - script.LEFT_OUT.keys():
        method, path = operation.split(" ")
        assert (method, _filled(path)) in asked, operation
    assert len(asked) == len(wanted - script.LEFT_OUT.keys()), "no call asks for what is not there"


def test_the_calls_are_what_the_routes_say(script: ModuleType) -> None:
    assert script.main(["check"]) == 0


def test_a_changed_route_is_noticed(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = script.written()
    for name, text in told.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "homes.py").write_text(told["homes.py"].replace("/homes/", "/houses/"))
    monkeypatch.setattr(script, "CALLS", tmp_path)
    monkeypatch.setattr(script, "written", lambda: told)
    assert script.main(["check"]) == 1


def _given(name: str) -> Any:
    return {"told": {}, "body": {}, "wire": b"{}", "wires": [b"{}"]}.get(name, f"a {name}")


def _filled(path: str) -> str:
    return re.sub(r"{(\w+)}", r"a \1", path)
