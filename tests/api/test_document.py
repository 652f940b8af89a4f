"""The OpenAPI document: valid, complete, and read by people without any outside address."""

from __future__ import annotations

import re

import pytest
from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver
from drf_spectacular.drainage import GENERATOR_STATS
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from mixcv.kernel.schema import document


@pytest.fixture(scope="module")
def api():
    return document()


def operations(api):
    return [
        (method, path, operation)
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    ]


def test_it_is_a_valid_openapi_document(api):
    assert api["openapi"].startswith("3.1")
    validate(api)


def test_it_was_made_without_a_guess(api):
    assert not GENERATOR_STATS._error_cache, list(GENERATOR_STATS._error_cache)
    assert not GENERATOR_STATS._warn_cache, list(GENERATOR_STATS._warn_cache)


def test_every_operation_has_an_id_of_its_own(api):
    ids = [operation["operationId"] for _, _, operation in operations(api)]
    assert len(ids) == len(set(ids))
    assert not [one for one in ids if not re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", one)]


def test_every_operation_says_what_it_does_and_stands_under_a_heading(api):
    silent = [op["operationId"] for _, _, op in operations(api) if not op.get("summary")]
    homeless = [op["operationId"] for _, _, op in operations(api) if op["tags"] == ["Other"]]
    assert (silent, homeless) == ([], [])


def test_every_operation_has_an_example(api):
    def has_example(operation):
        places = [operation.get("requestBody", {}), *operation["responses"].values()]
        contents = [content for place in places[:2] for content in place.get("content", {}).values()]
        return any(content.get("examples") for content in contents)

    assert [op["operationId"] for _, _, op in operations(api) if not has_example(op)] == []


def test_examples_fit_their_schemas(api):
    wrong = []
    for _, _, operation in operations(api):
        for place in (operation.get("requestBody", {}), *operation["responses"].values()):
            content = place.get("content", {}).get("application/json", {})
            for example in content.get("examples", {}).values():
                schema = {**content["schema"], "components": api["components"]}
                faults = Draft202012Validator(schema).iter_errors(example["value"])
                wrong += [
                    (operation["operationId"], fault.json_path, fault.message[:120]) for fault in faults
                ]
    assert wrong == []


def test_no_route_is_left_out(api):
    def routes(patterns, prefix=""):
        for one in patterns:
            where = prefix + str(one.pattern)
            if isinstance(one, URLResolver):
                yield from routes(one.url_patterns, where)
            elif isinstance(one, URLPattern):
                yield where

    shown = {re.sub(r"\{[^}]*\}", "*", path) for path in api["paths"]}
    served = {
        "/" + re.sub(r"<[^>]*>", "*", route)
        for route in routes(get_resolver().url_patterns)
        if route.startswith("v1/") and not route.startswith("v1/namespaces/<str:namespace_ref>/")
    }
    assert served - shown == {"/v1/uploads/*"}  # the signed address, which is given and not made up


@pytest.mark.django_db
def test_the_document_and_its_page_are_served_to_anybody(client):
    for path in ("/openapi.json", "/docs/openapi.json"):
        assert client.get(path).json()["info"]["title"] == "mixcv"
    page = client.get("/docs/api/").content.decode()
    assert 'id="api"' in page
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
