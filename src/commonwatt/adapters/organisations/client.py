"""Ask an organisation's directory over HTTPS: what it publishes, its keys, and a code's worth."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from commonwatt.identity.signing_in.organisations import Organisation
from commonwatt.model import Corrupt, InvalidValue, Refused, Unreachable

WITHIN_S = 10.0
_MOST_BYTES = 262_144
_KEPT_S = 300
_LOOPBACK = ("127.0.0.1", "localhost")


class DirectoryClient:
    """Implements `commonwatt.flows.entrance.ports.Directories`.

    What is published is remembered for minutes, so that nobody can have us ask an organisation without end. Redirects
    are not followed: where a directory answers is what it published.

    Args:
        now_s: A steady clock.
        client: To ask with; one with the machine's trusted certificates where it is left out.
    """

    def __init__(self, now_s: Callable[[], float], client: httpx.AsyncClient | None = None) -> None:
        self._now_s = now_s
        self._client = client or httpx.AsyncClient(timeout=WITHIN_S, follow_redirects=False, trust_env=False)
        self._known: dict[str, tuple[float, Mapping[str, Any]]] = {}

    async def published(self, organisation: Organisation) -> Mapping[str, Any]:
        """Return what an organisation publishes of its directory.

        Raises:
            Unreachable: It gives no answer.
            Corrupt: Its answer cannot be read.
            InvalidValue: It would be asked over plain HTTP.
        """
        return await self._remembered(f"{organisation.issuer.rstrip('/')}/.well-known/openid-configuration")

    async def keys(self, url: str) -> Mapping[str, Any]:
        """Return an organisation's keys; raises as `published`."""
        return await self._remembered(url)

    async def token(self, organisation: Organisation, url: str, form: Mapping[str, str]) -> Mapping[str, Any]:
        """Exchange a code; raises as `published`.

        Raises:
            Refused: The directory takes the code not.
        """
        headers, told = {}, dict(form)
        if organisation.client_secret:
            pair = f"{quote(organisation.client_id, safe='')}:{quote(organisation.client_secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            told["client_id"] = organisation.client_id
        return await self._ask("POST", url, data=told, headers=headers)

    async def close(self) -> None:
        """Let go of all lines."""
        await self._client.aclose()

    async def _remembered(self, url: str) -> Mapping[str, Any]:
        at_s, found = self._known.get(url, (-float(_KEPT_S), {}))
        if self._now_s() - at_s >= _KEPT_S:
            found = await self._ask("GET", url)
            self._known[url] = (self._now_s(), found)
        return found

    async def _ask(self, method: str, url: str, **more: Any) -> Mapping[str, Any]:
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise InvalidValue(f"an organisation is asked over https, was {url[:200]!r}")
        content = bytearray()
        try:
            async with self._client.stream(method, url, **more) as answer:
                async for chunk in answer.aiter_bytes():
                    content += chunk
                    if len(content) > _MOST_BYTES:
                        raise Corrupt(f"an organisation answers with {_MOST_BYTES} bytes at most")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"an organisation's directory gave no answer: {type(error).__name__}") from error
        if answer.status_code in (400, 401, 403):
            raise Refused("an organisation takes the code", status=answer.status_code)
        if answer.status_code != 200:
            raise Unreachable(f"an organisation's directory answered {answer.status_code}")
        try:
            found = json.loads(bytes(content))
        except (ValueError, RecursionError) as error:
            raise Corrupt("an organisation's answer is JSON") from error
        if not isinstance(found, dict):
            raise Corrupt("an organisation's answer is an object")
        return found
