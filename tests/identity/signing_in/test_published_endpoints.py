"""An organisation sends us to itself or to a name over https, and never to this machine or its neighbours (SSRF)."""

import pytest

from commonwatt.identity.signing_in.organisations import Endpoints, Organisation, read_endpoints
from commonwatt.model import InvalidValue

ISSUER = "https://id.example"
GOOD = {
    "issuer": ISSUER,
    "authorization_endpoint": "https://id.example/authorize",
    "token_endpoint": "https://token.id.example/token",
    "jwks_uri": "https://keys.example/jwks",
}


def published(issuer: str = ISSUER, **changed: str) -> Endpoints:
    return read_endpoints(Organisation(name="grid", issuer=issuer, client_id="us"), GOOD | changed | {"issuer": issuer})


def test_a_directory_may_answer_under_other_names() -> None:
    found = published()
    assert (found.token, found.keys) == (GOOD["token_endpoint"], GOOD["jwks_uri"])


def test_one_on_this_machine_answers_for_itself_where_it_is_configured_so() -> None:
    own = "http://127.0.0.1:8080"
    found = published(own, token_endpoint=f"{own}/token", jwks_uri=f"{own}/keys")
    assert (found.token, found.keys) == (f"{own}/token", f"{own}/keys")


@pytest.mark.parametrize("part", ["token_endpoint", "jwks_uri"])
@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9464/metrics",
        "https://127.0.0.1/",
        "https://localhost:8443/api/v1/people",
        "https://printer.local/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://2130706433/",
        "https://127.1/",
        "https://vault/",
        "https://db.internal./",
        "http://keys.example/jwks",
        "file:///etc/passwd",
        "https://[broken/",
        "//keys.example/jwks",
    ],
)
def test_nobody_who_publishes_has_us_ask_this_machine_or_its_neighbours(part: str, url: str) -> None:
    with pytest.raises(InvalidValue, match="https"):
        published(**{part: url})
