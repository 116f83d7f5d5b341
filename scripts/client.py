"""Write the client's calls from the API's routes: `update` writes them, `check` says whether they are as written."""

import sys
import types
import typing
from collections.abc import Iterable, Iterator
from enum import Enum
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from subprocess import run
from textwrap import wrap

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from pydantic_core import PydanticUndefined

from commonwatt.apps.api.app import ROUTERS
from commonwatt.apps.api.v1.requests import FRAMES

ROOT = Path(__file__).parents[1]
CALLS = ROOT / "src" / "commonwatt" / "client" / "calls"
LEFT_OUT = {
    "GET /live": "`Client.follow` reads it, and opens it again where it breaks",
    "GET /sign-in/organisation/back": "an organisation sends browsers there",
}
"""Routes without a call of their own, and why."""
_WIDTH = 112
_WORDS = {"wire": "bytes", "wires": "Sequence[bytes]"}


def main(words: list[str]) -> int:
    """Do what the words ask for, and return the exit code."""
    if words not in (["update"], ["check"]):
        sys.stderr.write("say update or check\n")
        return 2
    told = written()
    if words == ["update"]:
        CALLS.mkdir(exist_ok=True)
        for name, text in told.items():
            (CALLS / name).write_text(text)
    stale = [path.name for path in CALLS.glob("*.py") if path.name not in told]
    stale += [name for name, text in told.items() if not _is(CALLS / name, text)]
    for name in stale:
        sys.stderr.write(f"{name} is not what the routes say: python scripts/client.py update\n")
    return 1 if stale else 0


def written() -> dict[str, str]:
    """Return the text of each file, formatted, by its name."""
    groups = {_module(router): router for router in ROUTERS if any(_told(router))}
    told = {f"{name}.py": _formatted(_group(name, router)) for name, router in groups.items()}
    return told | {"__init__.py": _formatted(_all(groups))}


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


def _module(router: APIRouter) -> str:
    route = next(route for route in router.routes if isinstance(route, APIRoute))
    return route.endpoint.__module__.rpartition(".")[2]


def _told(router: APIRouter) -> Iterator[tuple[str, APIRoute]]:
    for route in router.routes:
        if isinstance(route, APIRoute):
            (method,) = route.methods or set()
            if f"{method} {route.path}" not in LEFT_OUT:
                yield method, route


def _all(groups: Iterable[str]) -> str:
    lines = [
        '"""All calls of the API, a group a module of its routes; written by scripts/client.py, not by hand."""',
        "from functools import cached_property",
        "from typing import TYPE_CHECKING",
        "from commonwatt.client.line import Line",
        "if TYPE_CHECKING:",
        *(f"    from commonwatt.client.calls.{name} import {_class(name)}" for name in sorted(groups)),
        "class Calls:",
        '    """The calls by group; what a group answers with is loaded when it is first asked."""',
        "    def __init__(self, line: Line) -> None:",
        "        self._line = line",
    ]
    for name in groups:
        lines += [
            "    @cached_property",
            f'    def {name}(self) -> "{_class(name)}":',
            f'        """{_sentence(name)}"""',
            f"        from commonwatt.client.calls.{name} import {_class(name)}  # noqa: PLC0415",
            f"        return {_class(name)}(self._line)",
        ]
    return "\n".join(lines)


def _group(name: str, router: APIRouter) -> str:
    uses = Uses()
    calls = [line for method, route in _told(router) for line in _call(method, route, uses)]
    head = f'"""{_sentence(name)[:-1]}; written by scripts/client.py, not by hand."""'
    body = [f"class {_class(name)}:", f'    """{_sentence(name)}"""', *_CLASS, *calls]
    return "\n".join([head, *uses.lines(), *body])


_CLASS = ("    def __init__(self, line: Line) -> None:", "        self._line = line")


def _class(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _sentence(name: str) -> str:
    told = import_module(f"commonwatt.apps.api.v1.{name}").__doc__ or ""
    first = told.strip().partition("\n")[0]
    return first if len(first) < 72 else first.partition(":")[0] + "."


class Uses:
    """What a file imports, as its calls come to name it."""

    def __init__(self) -> None:
        self._named: dict[str, set[str]] = {"commonwatt.client.line": {"Line"}}

    def named(self, module: str, name: str) -> str:
        """Return a name, and import it."""
        self._named.setdefault(module, set()).add(name)
        return name

    def spelled(self, told: object) -> str:
        """Return a type as one writes it, and import what it names."""
        if told is None or told is type(None):
            return "None"
        if told is typing.Any:
            return self.named("typing", "Any")
        origin, parts = typing.get_origin(told), typing.get_args(told)
        if origin in (typing.Union, types.UnionType):
            return " | ".join(map(self.spelled, parts))
        if origin is typing.Literal:
            return f"{self.named('typing', 'Literal')}[{', '.join(map(repr, parts))}]"
        if origin is typing.Annotated:
            return self.spelled(parts[0])
        plain = origin or told
        module, name = plain.__module__, typing.cast(type, plain).__qualname__
        spelled = name if module == "builtins" else self.named(module, name)
        return f"{spelled}[{', '.join(map(self.spelled, parts))}]" if parts else spelled

    def lines(self) -> list[str]:
        """Return the imports."""
        return [f"from {module} import {', '.join(sorted(names))}" for module, names in self._named.items()]


def _call(method: str, route: APIRoute, uses: Uses) -> list[str]:
    takes, told, keyed = _takes(route, uses)
    answers, shape = _answers(route, uses)
    signature = f"    def {route.name}({', '.join(takes)}) -> {answers}:"
    query = [f'"{one.alias}": {one.name}' for one in route.dependant.query_params]
    given = [f"query={{{', '.join(query)}}}"] if query else []
    path = _path(route, uses)
    if shape == "pieces":
        doing = f"return self._line.pieces({', '.join([path, *given])})"
    elif told in _WORDS:
        content = told
        if told == "wires":
            content = f"b''.join(map({uses.named('commonwatt.adapters.door.wire', 'frame')}, wires))"
        doing = f"return self._line.hand_in({path}, {content}, {_media(route)!r}, {shape})"
    else:
        given += [f"told={told}"] if told else []
        given += [f"key=key or {uses.named('commonwatt.client.line', 'new_key')}()"] if keyed else []
        doing = f"return self._line.call({', '.join([repr(method), path, shape, *given])})"
    return ["", signature, *_says(route, keyed=keyed), f"        {doing}"]


def _takes(route: APIRoute, uses: Uses) -> tuple[list[str], str, bool]:
    """Return the parameters of a call, the name of what it sends, and whether it has an idempotency key."""
    dependant = route.dependant
    takes = ["self", *(f"{one.name}: {uses.spelled(one.field_info.annotation)}" for one in dependant.path_params)]
    told = ""
    for one in dependant.body_params:
        told, shape = one.name, one.field_info.annotation
        mapping = typing.get_origin(shape) is dict
        spelled = f"{uses.named('collections.abc', 'Mapping')}[str, object]" if mapping else uses.spelled(shape)
        takes.append(f"{told}: {spelled}")
    if _media(route):
        told = "wires" if _media(route) == FRAMES else "wire"
        takes.append(f"{told}: {_WORDS[told]}")
        if told == "wires":
            uses.named("collections.abc", "Sequence")
    keyed = bool(dependant.header_params) and any(one.alias == "Idempotency-Key" for one in dependant.header_params)
    by_name = []
    for one in dependant.query_params:
        default = one.field_info.default
        spelled = f"{one.name}: {uses.spelled(one.field_info.annotation)}"
        by_name.append(spelled if default is PydanticUndefined else f"{spelled} = {_default(default)}")
    by_name += ["key: str | None = None"] if keyed else []
    return [*takes, *(["*", *by_name] if by_name else [])], told, keyed


def _default(told: object) -> str:
    assert not isinstance(told, Enum), told
    return repr(told)


def _answers(route: APIRoute, uses: Uses) -> tuple[str, str]:
    """Return what a call returns as one writes it, and the shape by which the line decodes it."""
    if route.response_model is not None:
        spelled = uses.spelled(route.response_model)
        union = typing.get_origin(route.response_model) in (typing.Union, types.UnionType)
        return spelled, f'{uses.named("typing", "cast")}("type[{spelled}]", {spelled})' if union else spelled
    if route.status_code == HTTPStatus.NO_CONTENT:
        return "None", "type(None)"
    if issubclass(route.response_class, StreamingResponse):  # type: ignore[arg-type]  # it is told where it is not JSON
        return f"{uses.named('collections.abc', 'Iterator')}[bytes]", "pieces"
    return "bytes", "bytes"


def _path(route: APIRoute, uses: Uses) -> str:
    if not route.dependant.path_params:
        return repr(route.path)
    part, path = uses.named("commonwatt.client.line", "part"), route.path
    for one in route.dependant.path_params:
        path = path.replace(f"{{{one.name}}}", f"{{{part}({one.name})}}")
    return f"f{path!r}"


def _media(route: APIRoute) -> str:
    body = (route.openapi_extra or {}).get("requestBody", {})
    return next(iter(body.get("content", {})), "")


def _says(route: APIRoute, *, keyed: bool) -> list[str]:
    summary = f"{(route.summary or '').rstrip('.')}."
    about = " ".join((route.description or "").split())
    about += " Asked again with the same `key` within a day, it is not done anew." if keyed else ""
    return [f'        """{summary}', "", *(f"        {line}" for line in wrap(about, _WIDTH)), '        """']


def _formatted(text: str) -> str:
    ruff = Path(sys.executable).with_name("ruff")
    for words in (["check", "--fix-only", "--quiet", "--select", "I"], ["format", "--quiet"]):
        command = [str(ruff), *words, "--stdin-filename", str(CALLS / "call.py"), "-"]
        text = run(command, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout  # noqa: S603  our own linter
    return text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
