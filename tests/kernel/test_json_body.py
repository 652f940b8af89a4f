"""Hostile JSON is the caller's fault, never a 500."""

from __future__ import annotations

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from mixcv.kernel.json_body import DEEPEST, parse_json
from tests import factories as make

HOSTILE = [
    "[" * 200_000,
    "[" * 5_000 + "]" * 5_000,
    '{"a":' * 200 + "1" + "}" * 200,
    '{"a": NaN}',
    '{"a": -Infinity}',
    '{"a": 1e999}',
    '{"a": ' + "9" * 5_000 + "}",
    "{",
]


def test_it_reads_what_json_has() -> None:
    assert parse_json(b'{"a": [1, 2.5, true, null, "\xc3\xa9"]}') == {"a": [1, 2.5, True, None, "é"]}


def test_it_reads_down_to_the_deepest() -> None:
    text = "[" * DEEPEST + "1" + "]" * DEEPEST
    assert parse_json(text)
    with pytest.raises(ValueError, match="nested deeper"):
        parse_json(f"[{text}]")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- any: it is the API that words it
        parse_json(text)


def api_paths() -> list[str]:
    """Every path of the API, with `x` for what it names, in the namespace of the key."""

    def walk(routes, prefix):
        for route in routes:
            path = prefix + str(route.pattern)
            if isinstance(route, URLResolver):
                yield from walk(route.url_patterns, path)
            elif isinstance(route, URLPattern):
                yield path

    found = (path for path in walk(get_resolver().url_patterns, "/") if path.startswith("/v1/"))
    named = (path.replace("<str:namespace_ref>", "ns_demo") for path in found)
    return sorted({"/".join("x" if "<" in part else part for part in path.split("/")) for path in named})


@pytest.mark.django_db
@pytest.mark.parametrize("text", [HOSTILE[0], HOSTILE[1], HOSTILE[3], HOSTILE[5]], ids=range(4))
def test_every_endpoint_answers_it_with_4xx(client, text):
    client.raise_request_exception = False
    headers = {"Authorization": f"Bearer {make.make_key(make.make_namespace())}"}
    paths = api_paths()
    assert len(paths) > 10
    answers = {
        (method, path): client.generic(
            method, path, text, content_type="application/json", headers=headers
        ).status_code
        for path in paths
        for method in ("POST", "PATCH")
    }
    assert {call: code for call, code in answers.items() if code >= 500} == {}
    assert answers["POST", "/v1/buckets"] == answers["POST", "/v1/annotations"] == 400
