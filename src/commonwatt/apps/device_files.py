"""The file in a gateway's folder that says which assets and devices it has: changed with its comments kept."""

import json
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from commonwatt.adapters.devices.driver import DeviceSpec
from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.apps.gateway_folder import DEVICES, DevicesFile, read_devices
from commonwatt.model import Asset, AssetId, InvalidValue, Refused

BLOCK = "[[device]]"


def specs_of(folder: Path) -> list[DeviceSpec]:
    """Return the devices of a gateway, as its devices file names them; none where there is no such file.

    Raises:
        InvalidValue: The file is no devices file; says what is wrong.
    """
    path = folder / DEVICES
    return _specs(path.read_text(encoding="utf-8"), path) if path.exists() else []


def assets_of(folder: Path) -> dict[AssetId, Asset]:
    """Return the assets behind a gateway, with their limits: each ``[[asset]]`` of its devices file.

    Whose they are and behind which gateway is not said there, and no device cares.

    Raises:
        InvalidValue: The file is missing, or what it says of an asset makes no sense.
    """
    told = read_devices(folder / DEVICES).asset
    return {AssetId(one.id): one.asset("nobody", "none") for one in told}


def add_spec(folder: Path, spec: DeviceSpec) -> None:
    """Write a device behind those that are there, whole or not at all.

    Raises:
        Refused: Its asset has a device already.
    """
    specs = specs_of(folder)
    if any(spec.asset == other.asset for other in specs):
        raise Refused("an asset has one device: replace it, or remove it first", asset=spec.asset)
    _save(folder, f"{_text(folder).rstrip()}\n\n{written(spec)}".lstrip(), [*specs, spec])


def replace_spec(folder: Path, spec: DeviceSpec) -> None:
    """Write a device in the place of its asset's.

    Raises:
        Refused: Its asset has none.
    """
    specs = specs_of(folder)
    _must_have(specs, spec.asset)
    lines, start, end = _block(folder, spec.asset)
    text = "".join([*lines[:start], written(spec), *lines[end:]])
    _save(folder, text, [spec if other.asset == spec.asset else other for other in specs])


def remove_spec(folder: Path, asset: AssetId) -> None:
    """Take an asset's device out.

    Raises:
        Refused: It has none.
    """
    specs = specs_of(folder)
    _must_have(specs, asset)
    lines, start, end = _block(folder, asset)
    _save(folder, "".join([*lines[:start], *lines[end:]]), [spec for spec in specs if spec.asset != asset])


def written(spec: DeviceSpec) -> str:
    """Return a device as it stands in a devices file."""
    lines = [
        BLOCK,
        f"asset = {toml_value(spec.asset)}",
        f"driver = {toml_value(spec.driver)}",
        f"url = {toml_value(spec.url)}",
    ]
    if spec.rollover_wh is not None:
        lines.append(f"rollover_wh = {spec.rollover_wh}")
    if spec.resolution_wh != 1:
        lines.append(f"resolution_wh = {spec.resolution_wh}")
    if spec.settings:
        lines.append(f"settings = {toml_value(spec.settings)}")
    return "\n".join(lines) + "\n"


def toml_value(value: Any) -> str:
    """Return a setting as TOML has it.

    Raises:
        InvalidValue: It is nothing that TOML could say.
    """
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml_value(str(name))} = {toml_value(part)}" for name, part in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(part) for part in value) + "]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    raise InvalidValue(f"a setting is text, number, yes or no, a list or a table, was {value!r}")


def _specs(text: str, path: Path) -> list[DeviceSpec]:
    try:
        specs = msgspec.convert(tomllib.loads(text), DevicesFile).device
    except ValueError as error:
        raise InvalidValue(f"{path} is no devices file: {error}") from error
    named = [spec.asset for spec in specs]
    if twice := {name for name in named if named.count(name) > 1}:
        raise InvalidValue(f"{path}: an asset has one device, was more for {', '.join(sorted(twice))}")
    return specs


def _block(folder: Path, asset: AssetId) -> tuple[list[str], int, int]:
    """Return a file's lines, and where an asset's block begins and ends: before the comment of the next one."""
    lines = _text(folder).splitlines(keepends=True)
    heads = [line.split("#")[0].strip() for line in lines]
    starts = [place for place, head in enumerate(heads) if head.startswith("[[")]
    for start, after in zip(starts, [*starts, len(lines)][1:], strict=True):
        end = after
        while after < len(lines) and end > start + 1 and lines[end - 1].lstrip().startswith(("#", "\n")):
            end -= 1
        try:
            (spec,) = _specs("".join(lines[start:end]), folder / DEVICES)
        except (InvalidValue, ValueError):
            continue
        if spec.asset == asset:
            return lines, start, end
    raise Refused("the file is written in a way that only its author can change", path=folder / DEVICES, asset=asset)


def _text(folder: Path) -> str:
    path = folder / DEVICES
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _must_have(specs: list[DeviceSpec], asset: AssetId) -> None:
    if all(spec.asset != asset for spec in specs):
        raise Refused("an asset's device stands in the devices file", asset=asset, found="none")


def _save(folder: Path, text: str, expected: list[DeviceSpec]) -> None:
    """Put a text in place of the file, once it is certain that it says what it shall."""
    if _specs(text, folder / DEVICES) != expected:
        raise Refused("the file is written in a way that only its author can change", path=folder / DEVICES)
    save_secret(folder / DEVICES, text.encode())
