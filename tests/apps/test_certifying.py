"""A site that stays open serves with a certificate that is good, and goes on with what it has where it cannot renew."""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from commonwatt.adapters.stores.tls_files import TlsFiles, tls_files
from commonwatt.apps.certifying import keep_certificate
from commonwatt.model import Corrupt

DAY_S = 86_400


class Site:
    """A site's folder, its clock, and how often it was looked at."""

    def __init__(self, folder: Path, now_s: int) -> None:
        self.folder, self.now_s, self.looks = folder, now_s, 0

    def renew(self) -> TlsFiles:
        self.looks += 1
        return tls_files(self.folder / "tls", "sun street", ["localhost"], self.now_s)

    async def looked_at(self) -> None:
        """Wait until it was looked at once more, from beginning to end."""
        wanted = self.looks + 2
        async with asyncio.timeout(60):
            while self.looks < wanted:
                await asyncio.sleep(0)


@asynccontextmanager
async def served(site: Site) -> AsyncIterator[int]:
    """Serve a site on loopback, kept fresh, and tell its port."""
    files, context = site.renew(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    keeping = asyncio.ensure_future(keep_certificate(site.renew, lambda: context, 0.001))
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        server.close()


async def shown(port: int, authority: Path) -> bytes:
    """Return the certificate that a new connection is shown, for which the authority vouches today."""
    trusting = ssl.create_default_context(cafile=str(authority))
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname="localhost")
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    assert isinstance(found, bytes)
    return found


@pytest.mark.row("W8")
def test_a_certificate_that_is_about_to_end_is_renewed_under_an_open_site(tmp_path: Path) -> None:
    today_s = int(time.time())
    site, authority = Site(tmp_path, today_s - 380 * DAY_S), tmp_path / "tls" / "authority.pem"

    async def a_year_passes() -> None:
        async with served(site) as port:
            trusted = authority.read_bytes()
            first = await shown(port, authority)
            await site.looked_at()
            assert await shown(port, authority) == first
            site.now_s = today_s
            await site.looked_at()
            assert await shown(port, authority) != first
            assert authority.read_bytes() == trusted

    asyncio.run(a_year_passes())


def test_where_nothing_can_be_renewed_the_site_goes_on_and_that_is_noted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site, authority = Site(tmp_path, int(time.time())), tmp_path / "tls" / "authority.pem"

    async def damaged() -> None:
        async with served(site) as port:
            first = await shown(port, authority)
            (tmp_path / "tls" / "server.pem").write_text("nothing")
            await site.looked_at()
            assert await shown(port, authority) == first

    with caplog.at_level(logging.ERROR):
        asyncio.run(damaged())
    noted = caplog.records[0].exc_info
    assert noted is not None and isinstance(noted[1], Corrupt)
