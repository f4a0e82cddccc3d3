"""Who may use the server: a token, and no page of another site.

A browser lets any page open a websocket to any address, this machine's too, but says in `Origin` whose page it is. A
server on loopback also answers only to loopback's names: a stranger's name may point at 127.0.0.1 (DNS rebinding).
"""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from starlette.requests import HTTPConnection

from ssl_asr.serving.server.limits import Kind, Refusal

PROTOCOL = "ssl-asr"  # what a browser's websocket offers beside its token
_TOKEN = "bearer."


@dataclass(frozen=True)
class Access:
    """`token` None lets everybody in. Pages of `origins`, such as https://example.org, are let in as its own are."""

    token: str | None = field(default=None, repr=False)
    origins: frozenset[str] = frozenset()
    is_loopback: bool = True

    def check(self, connection: HTTPConnection) -> None:
        """Refusal unless the request may be answered."""
        self.check_site(connection)
        if self.token is not None and not any(
            hmac.compare_digest(self.token.encode(), given.encode()) for given in _tokens(connection)
        ):
            raise Refusal(
                Kind.TOKEN,
                "the server asks for a token, and there is none or another; send Authorization: Bearer TOKEN",
            )

    def check_site(self, connection: HTTPConnection) -> None:
        """Refusal if a page of another site asks."""
        origin, host = connection.headers.get("origin"), connection.headers.get("host", "")
        if (
            self.is_loopback
            and not is_loopback(_split(f"//{host}").hostname or "")
            and host not in {_split(each).netloc for each in self.origins}
        ):
            raise Refusal(
                Kind.ORIGIN,
                f"this server answers to localhost, not to {host[:100]!r}; name that site with --allow-origin",
            )
        if origin is not None and _split(origin).netloc != host and origin not in self.origins:
            raise Refusal(
                Kind.ORIGIN, f"pages of {origin[:100]!r} may not use this server; allow it with --allow-origin"
            )


def _split(url: str) -> SplitResult:
    """Nothing of what is no URL."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _tokens(connection: HTTPConnection) -> list[str]:
    kind, _, value = connection.headers.get("authorization", "").partition(" ")
    found = [value.strip()] if kind.lower() == "bearer" else []
    offered = connection.scope.get("subprotocols", [])
    return found + [each.removeprefix(_TOKEN) for each in offered if each.startswith(_TOKEN)]


def is_loopback(name: str) -> bool:
    """Whether the address or host name, without a port, is of this machine alone."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
