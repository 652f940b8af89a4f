"""Fetching and posting to addresses that other people chose.

A name is resolved once, every address is checked, and the connection goes to the checked address; so a name that
answers differently the second time leads nowhere. Redirects are followed by hand, each with the same check.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urljoin

import httpx
from django.conf import settings

from mixcv.kernel.errors import DomainError, InvalidInput, TooLarge

MAX_REDIRECTS = 3
_REDIRECTS = {301, 302, 303, 307, 308}
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_LOCAL_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class BadUrl(InvalidInput):
    code = "bad_url"


class AddressNotAllowed(InvalidInput):
    code = "address_not_allowed"


class NoAnswer(DomainError):
    code = "no_answer"
    status: ClassVar[int] = 422


class BadAnswer(DomainError):
    code = "bad_answer"
    status: ClassVar[int] = 422


class AnswerTooLarge(TooLarge):
    code = "answer_too_large"


@dataclass(frozen=True)
class Answer:
    """What came back. `url` is the address after redirects."""

    status: int
    content: bytes
    content_type: str
    url: str


def check_url(url: str, *, field: str = "url") -> httpx.URL:
    """What can be known of an address without asking anybody.

    Raises BadUrl, and AddressNotAllowed where the host is written as an address of a private network.
    """
    if len(url) > 8000 or any(ord(sign) < 33 or sign == "\\" for sign in url):
        raise BadUrl("The address has spaces, control characters or more than 8,000 characters.", field=field)
    try:
        parsed = httpx.URL(url)
        host = parsed.raw_host.decode("ascii")
    except (httpx.InvalidURL, ValueError):
        raise BadUrl(f"{url[:200]!r} is no address. Write it as https://host/path.", field=field) from None
    if parsed.scheme not in {"http", "https"}:
        raise BadUrl(
            f"Addresses of {parsed.scheme or 'no scheme'} are not taken. Allowed: http and https.",
            field=field,
        )
    if not host:
        raise BadUrl("The address names no host. Write it as https://host/path.", field=field)
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise BadUrl(f"{parsed.port} is no port; ports are 1 to 65535.", field=field)
    if parsed.userinfo:
        raise BadUrl("An address with a user name or password in it is not taken.", field=field)
    if settings.MIXCV_ALLOW_PRIVATE_URLS:
        return parsed
    if host.rstrip(".").lower() in _LOCAL_NAMES or host.lower().rstrip(".").endswith(".localhost"):
        raise _refusal(host, field)
    literal = _as_address(host)
    if literal is not None and not is_public(literal):
        raise _refusal(host, field)
    return parsed


def is_public(address: Address) -> bool:
    """Whether an address lies in the open internet. Forms that carry an IPv4 address inside are all refused."""
    if isinstance(address, ipaddress.IPv6Address) and (
        address.ipv4_mapped
        or address.sixtofour
        or address.teredo
        or address.is_site_local
        or any(address in network for network in _NAT64)
    ):
        return False
    return address.is_global and not (
        address.is_multicast
        or address.is_reserved
        or address.is_loopback
        or address.is_link_local
        or address.is_unspecified
    )


def resolve(host: str, port: int, *, field: str = "url") -> str:
    """One address of `host`, after all of them were checked. Raises NoAnswer, AddressNotAllowed."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NoAnswer(f"The host {host} is not known.", field=field) from None
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses:
        raise NoAnswer(f"The host {host} is not known.", field=field)
    if not settings.MIXCV_ALLOW_PRIVATE_URLS:
        for text in addresses:
            if not is_public(ipaddress.ip_address(text.partition("%")[0])):
                raise _refusal(host, field)
    return addresses[0]


def post(url: str, *, content: bytes, headers: dict[str, str], seconds: float = 10) -> Answer:
    """POST to `url`. Redirects are not followed. Raises what `fetch` does; any answer but 2xx is BadAnswer."""
    until = time.monotonic() + seconds
    answer, onward = _one_request(
        url, max_bytes=64 * 1024, until=until, method="POST", content=content, headers=headers
    )
    if onward is not None:
        raise BadAnswer(f"The address leads on to {onward[:200]}. Give that one.", field="url")
    return answer


def fetch(url: str, *, max_bytes: int, seconds: float = 30) -> Answer:
    """GET `url`. Raises BadUrl, AddressNotAllowed, NoAnswer, BadAnswer (no 2xx), AnswerTooLarge.

    `seconds` bounds the whole, redirects included.
    """
    until = time.monotonic() + seconds
    for _ in range(MAX_REDIRECTS + 1):
        answer, onward = _one_request(url, max_bytes=max_bytes, until=until)
        if onward is None:
            return answer
        try:
            url = urljoin(url, onward)
        except ValueError:
            raise BadUrl(f"The address leads on to {onward[:200]!r}, which is none.", field="url") from None
    raise BadAnswer(f"The address leads on more than {MAX_REDIRECTS} times. Give the last one.", field="url")


def _one_request(
    url: str,
    *,
    max_bytes: int,
    until: float,
    method: str = "GET",
    content: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[Answer, str | None]:
    parsed = check_url(url)
    host = parsed.raw_host.decode("ascii")
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    pinned = parsed.copy_with(host=resolve(host, port))
    left = max(0.1, until - time.monotonic())
    try:
        # The environment's proxies would resolve the name anew.
        with (
            httpx.Client(
                trust_env=False, timeout=httpx.Timeout(min(10, left)), follow_redirects=False
            ) as client,
            client.stream(
                method,
                pinned,
                content=content,
                headers={
                    **(headers or {}),
                    "Host": parsed.netloc.decode("ascii"),
                    "Accept-Encoding": "identity",
                    "User-Agent": "mixcv",
                },
                extensions={"sni_hostname": host},
            ) as response,
        ):
            if response.status_code in _REDIRECTS and response.headers.get("Location"):
                return Answer(response.status_code, b"", "", url), response.headers["Location"]
            if not response.is_success:
                raise BadAnswer(
                    f"{host} answered {response.status_code} {response.reason_phrase}.", field="url"
                )
            body = _bounded(response, max_bytes=max_bytes, until=until)
            return Answer(response.status_code, body, response.headers.get("Content-Type", ""), url), None
    except httpx.TimeoutException:
        raise NoAnswer(f"{host} did not answer in time.", field="url") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise NoAnswer(f"{host} did not answer: {error or type(error).__name__}.", field="url") from None


def _bounded(response: httpx.Response, *, max_bytes: int, until: float) -> bytes:
    if response.headers.get("Content-Encoding", "identity").lower() not in {"", "identity"}:
        raise BadAnswer("The host sent a compressed answer that was not asked for.", field="url")
    too_large = AnswerTooLarge(
        f"The answer has more than {max_bytes / 1e6:,.1f} MB, which is the most allowed.", field="url"
    )
    length = response.headers.get("Content-Length", "")
    if length.isdigit() and int(length) > max_bytes:
        raise too_large
    parts, size = [], 0
    for part in response.iter_raw():
        size += len(part)
        if size > max_bytes:
            raise too_large
        if time.monotonic() > until:
            raise NoAnswer("The answer took too long.", field="url")
        parts.append(part)
    return b"".join(parts)


def _as_address(host: str) -> Address | None:
    """The address that a host is written as, in any of the forms that resolvers take (2130706433, 0x7f.1)."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _refusal(host: str, field: str) -> AddressNotAllowed:
    return AddressNotAllowed(
        f"{host} lies in a private or reserved network, which is not fetched from. "
        "Send the file itself, or let an admin set MIXCV_ALLOW_PRIVATE_URLS=1.",
        field=field,
    )
