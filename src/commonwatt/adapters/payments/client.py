"""Ask a payment provider over HTTP to collect, to pay out and to give back: each ask once, however often it is sent."""

from types import TracebackType

import httpx

from commonwatt.adapters.payments.translate import minor_units
from commonwatt.flows.ports import Asked
from commonwatt.model import AccountId

TIMEOUT_S = 10.0
_AGAIN = frozenset({401, 403, 408, 409, 425, 429})
"""Refusals that are about us or the moment, not about what was asked."""


class HttpProvider:
    """A provider's API; whatever goes wrong on the way is `Asked.UNHEARD`, and never raised.

    Args:
        url: Where it is, without a trailing slash.
        key: Our API key, sent as a bearer token.
        community: Put before every name, so that two communities of one operator never share one.
        currency: The community's, ISO 4217.
    """

    def __init__(self, url: str, key: str, community: str, currency: str) -> None:
        headers = {"authorization": f"Bearer {key}"}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_S, follow_redirects=False)
        self._community, self._currency = community, currency

    def collect(self, name: str, account: AccountId, amount_micro: int) -> Asked:
        """Ask it to collect money from an account's card or bank."""
        return self._ask("/collections", name, {"collection": name, "account": account}, amount_micro)

    def pay_out(self, name: str, account: AccountId, amount_micro: int) -> Asked:
        """Ask it to pay money to an account's bank."""
        return self._ask("/payouts", name, {"payout": name, "account": account}, amount_micro)

    def refund(self, name: str, purchase: str, amount_micro: int) -> Asked:
        """Ask it to give back money of a purchase."""
        return self._ask("/refunds", name, {"reference": name, "payment": purchase}, amount_micro)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def __enter__(self) -> "HttpProvider":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _ask(self, path: str, name: str, about: dict[str, str], amount_micro: int) -> Asked:
        asked = about | {"amount": minor_units(amount_micro), "currency": self._currency}
        try:
            answer = self._client.post(path, json=asked, headers={"idempotency-key": f"{self._community}{path}/{name}"})
        except httpx.HTTPError:
            return Asked.UNHEARD
        if answer.is_success:
            return Asked.TAKEN
        return Asked.REFUSED if answer.is_client_error and answer.status_code not in _AGAIN else Asked.UNHEARD
