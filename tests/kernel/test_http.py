"""Fetching from addresses that other people chose."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mixcv.kernel import http


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/hop/"):
            left = int(self.path.rpartition("/")[2])
            self.send_response(302)
            self.send_header("Location", f"/hop/{left - 1}" if left > 1 else "/ok")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path in {"/away", "/nowhere"}:
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd" if self.path == "/away" else "http://[bad")
            self.end_headers()
            return
        body = self.headers["Host"].encode() if self.path == "/host" else b"x" * 1000
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Type", "image/png")
        if self.path == "/zipped":
            self.send_header("Content-Encoding", "gzip")
        if self.path != "/endless":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    stub = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=stub.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{stub.server_port}"
    stub.shutdown()


@pytest.fixture
def guarded(settings):
    settings.MIXCV_ALLOW_PRIVATE_URLS = False


def test_it_fetches_with_the_name_that_was_asked_for(server):
    port = server.rpartition(":")[2]
    answer = http.fetch(f"http://localhost:{port}/host", max_bytes=5000)
    assert (answer.status, answer.content_type) == (200, "image/png")
    assert answer.content.decode() == f"localhost:{port}"


def test_it_follows_three_redirects_and_no_fourth(server):
    assert http.fetch(f"{server}/hop/3", max_bytes=5000).url == f"{server}/ok"
    with pytest.raises(http.BadAnswer, match="more than 3 times"):
        http.fetch(f"{server}/hop/4", max_bytes=5000)


def test_it_checks_where_a_redirect_leads(server):
    with pytest.raises(http.BadUrl, match="Allowed: http and https"):
        http.fetch(f"{server}/away", max_bytes=5000)


def test_a_redirect_to_no_address_is_named(server):
    with pytest.raises(http.BadUrl, match="leads on to"):
        http.fetch(f"{server}/nowhere", max_bytes=5000)


@pytest.mark.parametrize("path", ["/ok", "/endless"])
def test_it_stops_at_the_byte_bound(server, path):
    with pytest.raises(http.AnswerTooLarge, match="most allowed"):
        http.fetch(server + path, max_bytes=999)


def test_it_says_what_the_host_answered(server):
    with pytest.raises(http.BadAnswer, match="answered 404"):
        http.fetch(f"{server}/missing", max_bytes=5000)


def test_it_refuses_an_answer_packed_unasked(server):
    with pytest.raises(http.BadAnswer, match="compressed"):
        http.fetch(f"{server}/zipped", max_bytes=5000)


def test_a_host_that_does_not_answer_is_named():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(http.NoAnswer, match=r"127\.0\.0\.1 did not answer"):
        http.fetch(f"http://127.0.0.1:{port}/", max_bytes=10, seconds=2)


def test_a_host_that_keeps_silent_is_left_after_the_time_given():
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(http.NoAnswer, match="in time"):
        http.fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/", max_bytes=10, seconds=0.5)


def test_a_host_that_nobody_knows_is_named():
    with pytest.raises(http.NoAnswer, match=r"nowhere\.invalid is not known"):
        http.fetch("http://nowhere.invalid/", max_bytes=10)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2001:0:7f00:1::",
        "2001:db8::1",
        "::7f00:1",
    ],
)
def test_addresses_inside_are_not_public(address):
    assert not http.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111"])
def test_addresses_outside_are_public(address):
    assert http.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://localhost./",
        "http://a.localhost:8000/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
    ],
)
def test_a_private_host_is_refused_however_it_is_written(guarded, url):
    with pytest.raises(http.AddressNotAllowed, match="private or reserved"):
        http.check_url(url)


def test_a_name_that_leads_inside_is_refused(guarded, monkeypatch):
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_a, **_k: [(2, 1, 6, "", ("8.8.8.8", 80)), (2, 1, 6, "", ("10.0.0.1", 80))],
    )
    with pytest.raises(http.AddressNotAllowed, match=r"inside\.example"):
        http.fetch("http://inside.example/", max_bytes=10)


def test_it_connects_to_the_address_that_was_checked(server, settings, monkeypatch):
    """A name that answers differently the second time leads nowhere."""
    port = int(server.rpartition(":")[2])
    answers = iter(["127.0.0.1", "10.255.255.1"])
    real = socket.getaddrinfo

    def changing(host, *args, **kwargs):
        return real(next(answers) if host == "moving.example" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    assert (
        http.fetch(f"http://moving.example:{port}/host", max_bytes=100).content
        == f"moving.example:{port}".encode()
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host/a.jpg",
        "javascript:alert(1)",
        "http://",
        "http://a b/",
        "http://a\\b/",
        "http://host:99999/",
        "http://0177.0.0.1/",
        "http://[::1",
        "http://\u0000/",
        "x" * 9000,
    ],
)
def test_what_is_no_address_is_refused_in_words(url):
    with pytest.raises(http.BadUrl):
        http.check_url(url)
