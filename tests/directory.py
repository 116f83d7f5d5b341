"""A small OpenID Connect provider on loopback: real HTTP, real keys; it can be told to lie in each way that matters."""

import json
import secrets
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

KEY, ANOTHER = (RSAKey.generate_key(2048, {"kid": "1"}) for _ in range(2))


@dataclass
class Provider:
    """What it says of itself and its people; ``claims`` replace those of an ID token, ``alg`` how it is signed."""

    issuer: str = ""
    client_id: str = "sun-street"
    claims: dict[str, Any] = field(default_factory=dict)
    alg: str = "RS256"
    key: RSAKey = field(default_factory=lambda: KEY)
    now_s: int = 0
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    subject: str = "dora"

    def sign_in(self, url: str, subject: str) -> dict[str, str]:
        """Do as the provider's page does: return what the browser brings back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked | {"sub": subject}
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def token(self, form: dict[str, str]) -> dict[str, Any] | None:
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri"):
            return None
        challenge = urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        if challenge != asked["code_challenge"]:
            return None
        told = {
            "iss": self.issuer,
            "aud": self.client_id,
            "sub": asked["sub"],
            "nonce": asked["nonce"],
            "iat": self.now_s,
            "exp": self.now_s + 300,
            "name": "Dora of the DSO",
        } | self.claims
        return {"id_token": self._signed({name: value for name, value in told.items() if value is not None})}

    def _signed(self, claims: dict[str, Any]) -> str:
        if self.alg == "none":
            parts = (json.dumps({"alg": "none", "typ": "JWT"}), json.dumps(claims))
            return ".".join(urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts) + "."
        if self.alg == "HS256":  # signed with the public key as if it were a secret
            public = OctKey.import_key(self.key.as_pem(private=False))
            return jwt.encode({"alg": "HS256", "kid": "1"}, claims, public, algorithms=["HS256"])
        key = ANOTHER if self.alg == "another key" else self.key
        return jwt.encode({"alg": "RS256", "kid": "1"}, claims, key)


@contextmanager
def serving(provider: Provider) -> Iterator[str]:
    """Serve a provider, and give its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/.well-known/openid-configuration":
                here = provider.issuer
                ends = {"authorization_endpoint": f"{here}/authorize", "token_endpoint": f"{here}/token"}
                return self._answer(200, {"issuer": here, "jwks_uri": f"{here}/keys", **ends})
            if self.path.startswith("/authorize?"):  # its page, where ``subject`` is signed in already
                asked = parse_qs(urlsplit(self.path).query)
                back = provider.sign_in(self.path, provider.subject)
                self.send_response(303)
                self.send_header("Location", f"{asked['redirect_uri'][0]}?{urlencode(back)}")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            return self._answer(200, {"keys": [provider.key.as_dict(private=False)]})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            found = provider.token({name: values[0] for name, values in parse_qs(body).items()})
            self._answer(200 if found else 400, found or {"error": "invalid_grant"})

        def _answer(self, status: int, value: object) -> None:
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *told: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    try:
        yield provider.issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
