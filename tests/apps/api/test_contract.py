"""The API keeps to its own description, whatever comes in and whoever asks: no 5xx, no answer of another shape."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from jsonschema_rs import Draft202012Validator
from lived import LivedStreet
from schemathesis.specs.openapi.checks import allow_header_conformance, ignored_auth, positive_data_acceptance
from visited import Visited, visited

from commonwatt.apps.api.app import PREFIX, make_app
from commonwatt.apps.api.gate import Gate
from commonwatt.apps.api.v1.requests import FRAMES
from commonwatt.identity.seat import Role
from doorway import SITE

NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))
EXAMPLES = 100 if NIGHTLY else 2
WHO = {Role.MEMBER: "member-05", Role.OPERATOR: None, Role.AUDITOR: None}


def described() -> dict[str, Any]:
    """Return the description as it is served; nothing has to run for it."""
    app = make_app(lambda: pytest.fail("nothing is opened to describe the API"), Gate(hall=None))  # type: ignore[arg-type]
    return app.openapi()


schemathesis.serializer.alias(FRAMES, "application/octet-stream")
SCHEMA = schemathesis.openapi.from_dict(described())


@pytest.fixture(scope="module")
def street(lived: LivedStreet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visited]:
    """The whole application with its door open, and somebody in each role."""
    folder = tmp_path_factory.mktemp("asked") / "street"
    shutil.copytree(lived.folder, folder)
    with visited(replace(lived, folder=folder), door=True) as found:
        for role, account in WHO.items():
            found.joins(role.value, role, account)
        yield found


@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)
def test_whatever_is_asked_is_answered_as_the_description_says(case: schemathesis.Case, street: Visited) -> None:
    asked = {name: value for name, value in case.as_transport_kwargs(base_url=SITE.origin).items() if value is not None}
    asked.pop("cookies", None)
    method, url, headers = asked.pop("method"), asked.pop("url"), dict(asked.pop("headers", {}))
    if "data" in asked:
        asked["content"] = asked.pop("data")
    # What a write asks for, the log's rules judge beyond its shape: their no is a 422, too.
    # And a path may be another route's, too, with a name where this one has a word: `Allow` tells the methods of both.
    # What two values of one query must be to each other, an end behind its beginning, no schema tells either.
    judged = method != "GET" or url.removeprefix(SITE.origin + PREFIX).startswith("/comparisons")
    # Who is let in without showing anything is the table's to say, and the matrix of everybody and everything shows it.
    beyond = [allow_header_conformance, ignored_auth] + ([positive_data_acceptance] if judged else [])
    for role in ("", *WHO) if NIGHTLY else (_who_has_business_with(url),):
        person = street.hall.people.persons.find(role) if role else None
        secret = street.sits(person) if person else ""
        answered = street.ask(method, url, secret, headers=headers, **asked)
        assert answered.status_code < 500, (role, answered.text)
        case.validate_response(answered, excluded_checks=beyond)


def test_a_path_says_all_that_it_answers_to(street: Visited) -> None:
    told = street.ask("PATCH", f"{PREFIX}/sign-in", headers={"Origin": SITE.origin})
    assert (told.status_code, told.headers["allow"]) == (405, "DELETE, GET, HEAD")


def _who_has_business_with(url: str) -> Role:
    path = url.removeprefix(SITE.origin + PREFIX)
    if path.startswith(("/people", "/zones")):
        return Role.OPERATOR
    return Role.AUDITOR if path.startswith("/leaves") else Role.MEMBER


def test_every_route_is_described_with_its_problems_and_every_write_with_what_it_takes() -> None:
    routes = [(method, path, told) for path, one in described()["paths"].items() for method, told in one.items()]
    assert len(routes) > 60 and all(path.startswith(PREFIX) for _, path, _ in routes)
    for method, path, told in routes:
        assert told["summary"] and told["description"], (method, path)
        assert {"401", "403", "404", "422", "429", "503"} <= told["responses"].keys(), (method, path)


def test_every_body_in_json_has_an_example_that_its_own_shape_takes() -> None:
    told = described()
    bodies = [
        (method, path, operation["requestBody"]["content"]["application/json"])
        for path, one in told["paths"].items()
        for method, operation in one.items()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    ]
    assert len(bodies) > 30
    for method, path, body in bodies:
        assert body.get("examples"), (method, path)
        judge = Draft202012Validator({**body["schema"], "components": told["components"]})
        for example in body["examples"].values():
            assert list(judge.iter_errors(example["value"])) == [], (method, path)


def test_every_answer_in_json_has_an_example_that_its_own_shape_takes() -> None:
    told = described()
    answers = [
        (method, path, status, told_as)
        for path, one in told["paths"].items()
        for method, operation in one.items()
        for status, answer in operation["responses"].items()
        for kind, told_as in answer.get("content", {}).items()
        if kind in ("application/json", "application/problem+json") and told_as.get("schema")
    ]
    assert len({(method, path) for method, path, status, _ in answers if status < "300"}) > 110
    for method, path, status, told_as in answers:
        judge = Draft202012Validator({**told_as["schema"], "components": told["components"]})
        wrong = [error.message for error in judge.iter_errors(told_as["example"])]
        assert wrong == [] and told_as["example"] is not None, (method, path, status, wrong)
        assert status < "400" or told_as["example"]["status"] == int(status)


def test_every_operation_says_by_what_it_is_asked_for_and_which_need_nothing() -> None:
    told = described()
    schemes = told["components"]["securitySchemes"]
    assert schemes["session"]["name"] == "__Host-commonwatt" and schemes["token"]["scheme"] == "bearer"
    needs = {(method, path): one["security"] for path, all_ in told["paths"].items() for method, one in all_.items()}
    known = [{"session": []}, {"token": []}]
    assert needs["get", f"{PREFIX}/market"] == [{}, *known]
    assert needs["post", f"{PREFIX}/sign-in/password"] == [{}, *known]
    assert needs["get", f"{PREFIX}/me/ways"] == known
    assert needs["post", f"{PREFIX}/people/invitations"] == known
