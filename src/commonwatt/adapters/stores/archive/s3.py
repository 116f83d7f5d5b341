"""Keep blobs in a bucket of any server that speaks S3."""

import configparser
import ipaddress
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from commonwatt.adapters.stores.archive.blobs import (
    Stored,
    check_content,
    check_folder,
    check_name,
    check_ours,
    checked,
    is_ours,
)
from commonwatt.adapters.stores.keyfile import load_secret
from commonwatt.model import Corrupt, Refused

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Credential

_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,60})</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_NOT_LET_IN = ("401", "403")
_MOVED_OR_MISSING = ("NoSuchBucket", "PermanentRedirect")


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Credentials:
    """What lets us into a bucket; neither `repr` nor any error shows more than the key's public name.

    Args:
        access_key_id: The key's public name.
        secret_access_key: The key.
        session_token: Goes with keys that are lent for a while; empty where there is none.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the variables that every S3 tool reads: ``AWS_ACCESS_KEY_ID`` and its kin.

        Raises:
            Refused: One is missing or empty.
        """
        return cls._read({name.lower(): value for name, value in environment.items()}, "the environment")

    @classmethod
    def from_file(cls, path: Path, profile: str = "default") -> Self:
        """Read a file as ``~/.aws/credentials`` is written; it must be its owner's alone.

        Raises:
            Refused: Group or others may read the file, or the profile or one of its keys is missing.
            Corrupt: The file cannot be read as INI.
            FileNotFoundError: There is no such file.
        """
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(load_secret(path).decode())
        except (configparser.Error, UnicodeDecodeError):
            # The parser's own words quote the line, and the line may be the secret.
            raise Corrupt(f"credentials are an INI file, {path} is not") from None
        if not parser.has_section(profile):
            raise Refused("there is no such profile", path=path, profile=profile)
        return cls._read(dict(parser[profile]), str(path))

    @classmethod
    def _read(cls, names: Mapping[str, str], place: str) -> Self:
        for name in ("aws_access_key_id", "aws_secret_access_key"):
            if not names.get(name):
                raise Refused("a bucket needs credentials", missing=name, place=place)
        return cls(
            access_key_id=names["aws_access_key_id"],
            secret_access_key=names["aws_secret_access_key"],
            session_token=names.get("aws_session_token", ""),
        )


class S3Blobs:
    """Blobs as objects of a bucket, each written by one PUT, so whole or not at all.

    Args:
        bucket: The bucket; it must be there.
        endpoint: Where the server listens, for example ``https://s3.eu-central-1.amazonaws.com``.
        credentials: What lets us in.
        region: As the server names it; most that are not Amazon's take any.
        ca_pem: A root certificate to trust besides the system's, for a server with one of its own.
        timeout_s: How long one request may take.
        retry_s: For how long a request that failed on the way is tried again.

    Raises:
        Refused: The endpoint would send our bytes and signatures over a network in the clear.
    """

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str,
        credentials: S3Credentials,
        region: str = "us-east-1",
        ca_pem: bytes = b"",
        timeout_s: float = 60,
        retry_s: float = 30,
    ) -> None:
        self._bucket, self._endpoint = bucket, endpoint
        client: ClientConfig = {
            "allow_http": _stays_here(endpoint),
            "allow_invalid_certificates": False,
            "timeout": timedelta(seconds=timeout_s),
        }
        if ca_pem:
            client["root_certificate"] = ca_pem
        self._store = S3Store(
            bucket,
            endpoint=endpoint,
            region=region,
            virtual_hosted_style_request=False,
            skip_signature=False,
            client_options=client,
            retry_config={"max_retries": 5, "retry_timeout": timedelta(seconds=retry_s)},
            # A provider, since keys handed over as options can be mixed with others from the environment.
            credential_provider=lambda: _lent(credentials),
        )

    def __repr__(self) -> str:
        return f"S3Blobs({self._bucket!r}, endpoint={self._endpoint!r})"

    def put(self, name: str, data: bytes) -> None:
        """Keep the bytes; see `Blobs.put`."""
        check_content(name, data)
        if self._size_bytes(name) == len(data):
            return
        with self._translating(name):
            obstore.put(self._store, name, data, use_multipart=False)

    def get(self, name: str) -> bytes:
        """Return the bytes; see `Blobs.get`."""
        check_name(name)
        with self._translating(name):
            return checked(name, bytes(obstore.get(self._store, name).bytes()))

    def exists(self, name: str) -> bool:
        """Tell whether there is such an object; servers say no also where the whole bucket is missing."""
        check_name(name)
        return self._size_bytes(name) is not None

    def list(self, folder: str) -> Iterator[Stored]:
        """Yield the blobs; other objects in the bucket are not ours."""
        check_folder(folder)
        with self._translating(folder):
            for page in obstore.list(self._store, folder or None):
                for found in page:
                    if is_ours(found["path"]):
                        written_s = int(found["last_modified"].timestamp())
                        yield Stored(name=found["path"], size_bytes=found["size"], written_s=written_s)

    def delete(self, name: str) -> None:
        """Remove the object; see `Blobs.delete`."""
        check_ours(name)
        with self._translating(name):
            obstore.delete(self._store, name)

    def _size_bytes(self, name: str) -> int | None:
        try:
            with self._translating(name):
                return obstore.head(self._store, name)["size"]
        except FileNotFoundError:
            return None

    @contextmanager
    def _translating(self, name: str) -> Iterator[None]:
        """Turn the client's errors into ours, by the code alone: servers echo what was signed into their text."""
        try:
            yield
        except (BaseError, FileNotFoundError) as error:
            raise self._translated(name, error) from None

    def _translated(self, name: str, error: Exception) -> Exception:
        text = str(error)
        code = found[1] if (found := _CODE.search(text)) else ""
        status = found[1] if (found := _STATUS.search(text)) else ""
        where = {"bucket": self._bucket, "endpoint": self._endpoint}
        if code in _MOVED_OR_MISSING:
            return Refused("there is no such bucket", **where, code=code)
        if isinstance(error, PermissionDeniedError | UnauthenticatedError) or status in _NOT_LET_IN:
            return Refused("the store does not let us in", **where, code=code or status)
        if isinstance(error, FileNotFoundError):
            return FileNotFoundError(f"there is no blob {name} in bucket {self._bucket} at {self._endpoint}")
        return ConnectionError(
            f"bucket {self._bucket} at {self._endpoint} does not answer for {name or 'a list'}:"
            f" {code or status or 'cannot be reached or broke off'}"
        )


def _stays_here(endpoint: str) -> bool:
    """Tell whether plain HTTP is meant and harmless, as it goes to this very machine."""
    parts = urlsplit(endpoint)
    if parts.username or parts.password:
        raise Refused("an endpoint carries no credentials", host=parts.hostname)
    if parts.scheme == "https" and parts.hostname:
        return False
    if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
        return True
    raise Refused("what leaves this machine is encrypted, so the endpoint begins with https://", endpoint=endpoint)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _lent(credentials: S3Credentials) -> "S3Credential":
    return {
        "access_key_id": credentials.access_key_id,
        "secret_access_key": credentials.secret_access_key,
        "token": credentials.session_token or None,
        "expires_at": None,
    }
