"""Keep the certificate of a site fresh while it is served: whoever leaves an app open finds its door open next year."""

import asyncio
import logging
import ssl
from collections.abc import Callable

from commonwatt.adapters.stores.tls_files import TlsFiles

EVERY_S = 6 * 3_600.0
"""Between two looks; a certificate is renewed weeks before it ends."""

_log = logging.getLogger(__name__)


async def keep_certificate(
    renew: Callable[[], TlsFiles], served: Callable[[], ssl.SSLContext | None], every_s: float = EVERY_S
) -> None:
    """Go on serving with what is good, until cancelled; connections that stand keep what they began with.

    Args:
        renew: Returns the site's files, made anew where they are about to end.
        served: Returns what new connections are taken with; None where it is not there yet.
        every_s: Between two looks.
    """
    while True:
        await asyncio.sleep(every_s)
        try:
            files = renew()
            if files.renewed:
                _log.warning("the site's authority was about to end and is new: people have to trust it anew")
            _take(files, served())
        except Exception:
            # What is served stays as it was; there are weeks to find out why.
            _log.exception("the site's certificate could not be renewed")


def _take(files: TlsFiles, context: ssl.SSLContext | None) -> None:
    if context is None:
        return
    # Tried beside first: of a pair that does not belong together, half would stay behind.
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key)
    context.load_cert_chain(files.certificate, files.key)
