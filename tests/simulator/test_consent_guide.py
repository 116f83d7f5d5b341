"""The guide to consent says what is so: its bodies are read, its street file loads, its commands have these options."""

import json
import re
import tomllib
from pathlib import Path

import msgspec
from typer.testing import CliRunner

from commonwatt.apps.cli.main import app
from commonwatt.flows.onboard import consent_body
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.flexibility.consenting import consent_of
from commonwatt.model import Consent, ConsentMode, Kind
from commonwatt.simulator.street import HomeSpec

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "consent.md").read_text(encoding="utf-8")


def block(kind: str) -> str:
    (found,) = re.findall(rf"```{kind}\n(.*?)```", GUIDE, re.DOTALL)
    assert isinstance(found, str)
    return found


def test_every_body_of_the_guide_is_one() -> None:
    read = [bodies.read_body(Kind.CONSENT, json.loads(line)) for line in block("json").splitlines()]
    consents = [body for body in read if isinstance(body, bodies.ConsentBody)]
    assert [body.mode for body in consents] == list(ConsentMode)
    for body in consents:
        again = consent_body(consent_of(body))
        assert msgspec.structs.replace(again, asset=body.asset) == body
    assert isinstance(read[-1], bodies.DecisionBody)


def test_the_street_file_of_the_guide_loads() -> None:
    homes = msgspec.convert(tomllib.loads(block("toml"))["home"], tuple[HomeSpec, ...])
    said = [home.consent for home in homes if home.consent is not None]
    assert [spec.answers for spec in said] == ["charging", "yes"]
    assert [spec.consent() for spec in said] == [
        Consent(mode=ConsentMode.ASK, decide_s=1_200),
        Consent(mode=ConsentMode.WITHIN, least_percent=20, hours=(1_320, 390)),
    ]


def test_every_option_of_the_guide_is_one_of_the_command() -> None:
    told = (
        CliRunner().invoke(app, ["consent", "--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}).output
    )
    assert {*re.findall(r"--[a-z-]+", block("text"))} <= {*re.findall(r"--[a-z-]+", told)}
    assert block("text").count("commonwatt consent ") == 5
