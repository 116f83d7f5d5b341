"""Reads discovery messages as Home Assistant does, with its own code, and renders their templates. Runs beside it."""

import asyncio
import copy
import importlib
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import voluptuous
from homeassistant.components.mqtt.const import SUPPORTED_COMPONENTS
from homeassistant.components.mqtt.discovery import _replace_all_abbreviations
from homeassistant.components.mqtt.schemas import DEVICE_DISCOVERY_SCHEMA, SHARED_OPTIONS
from homeassistant.const import __version__
from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template


async def main() -> None:
    hass = HomeAssistant("/tmp")
    parts = values = 0
    for line in sys.stdin:
        said = json.loads(line)
        for platform, config in judged(said["config"]):
            parts += 1
            for state in said["states"]:
                values += 1
                check_value(hass, platform, config, state)
        for wrong in spoiled(said["config"]):
            try:
                judged(wrong)
            except (voluptuous.Invalid, ValueError):
                continue
            raise SystemExit(f"a spoiled message passed, so nothing was judged: {wrong}")
    await hass.async_stop(force=True)
    if not parts:
        raise SystemExit("there was nothing to judge")
    print(f"Home Assistant {__version__}: {parts} entities and {values} rendered values accepted, spoiled ones refused")


def judged(payload: dict) -> list[tuple[str, dict]]:
    """Return the entities of a device's message, each checked by its platform's discovery schema."""
    payload = copy.deepcopy(payload)
    _replace_all_abbreviations(payload)
    DEVICE_DISCOVERY_SCHEMA(payload)
    entities = []
    for part in payload["components"].values():
        platform = part.pop("platform")
        assert platform in SUPPORTED_COMPONENTS, platform
        whole = {key: payload[key] for key in SHARED_OPTIONS if key in payload}
        whole |= {"device": payload["device"], "origin": payload["origin"]} | part
        schema = importlib.import_module(f"homeassistant.components.mqtt.{platform}").DISCOVERY_SCHEMA
        # What it will refuse in a later release it complains of in its log today.
        complaints: list[str] = []
        with heard(complaints):
            kept = schema(copy.deepcopy(whole))
        if complaints:
            raise ValueError(complaints[0])
        left = set(whole) - {str(key) for key in kept}
        if left:
            raise ValueError(f"Home Assistant drops {left} of {platform}")
        entities.append((platform, whole))
    return entities


@contextmanager
def heard(complaints: list[str]) -> Iterator[None]:
    """Collect what is logged as a warning or worse."""
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: complaints.append(record.getMessage())
    logger = logging.getLogger("homeassistant")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)


def check_value(hass: HomeAssistant, platform: str, config: dict, state: str) -> None:
    """Check that what a template makes of a state is what its entity takes."""
    value = render(hass, config["value_template"], state)
    if "json_attributes_template" in config:
        assert isinstance(json.loads(render(hass, config["json_attributes_template"], state)), dict)
    if platform == "select":
        assert value in config["options"], value
    elif platform == "switch":
        assert value in (config["payload_on"], config["payload_off"]), value
    elif platform == "number" or (config.get("state_class") and value != "None"):
        float(value)


def render(hass: HomeAssistant, template: str, state: str) -> str:
    return str(Template(template, hass).async_render_with_possible_json_value(state, parse_result=False))


def spoiled(payload: dict) -> list[dict]:
    """Return the same message with one thing wrong each."""
    wrong = [copy.deepcopy(payload) for _ in range(3)]
    del wrong[0]["origin"]
    wrong[1]["components"]["power"]["state_class"] = "rising"
    wrong[2]["components"]["power"]["unit_of_measurement"] = "kWh"
    return wrong


asyncio.run(main())
