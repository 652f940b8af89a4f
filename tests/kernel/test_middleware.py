"""A NUL, which no column holds, is the caller's fault wherever it stands."""

from __future__ import annotations

import pytest

from mixcv.tenancy.models import Role
from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(client):
    client.raise_request_exception = False
    client.force_login(make.make_user(make.make_namespace(), role=Role.ADMIN))
    return client


@pytest.mark.parametrize(
    "path",
    [
        "/%00",
        "/n/%00/",
        "/n/demo%00/review/",
        "/n/demo/review/x%00/",
        "/n/demo/batches/x%00/",
        "/n/demo/collections/x%00/",
        "/n/demo/images/x%00/",
        "/static/%00.css",
        "/admin/%00/",
    ],
)
def test_an_address_with_a_nul_leads_nowhere(browser, path):
    answer = browser.get(path)
    assert answer.status_code == 404
    assert "Content-Security-Policy" in answer.headers


@pytest.mark.parametrize("path", ["/v1/buckets/x%00", "/v1/collections/%00", "/v1/nothing%00"])
def test_the_api_says_so_in_its_envelope(browser, path):
    headers = {"Authorization": f"Bearer {make.make_key(make.make_namespace())}"}
    answer = browser.get(path, headers=headers)
    assert answer.status_code == 404
    assert answer.json()["success"] is False
    assert answer.json()["error"]["type"] == "NotFoundError"


@pytest.mark.parametrize(
    "path",
    ["/n/demo/batches/?page=%00", "/n/demo/images/?q=a%00b", "/v1/buckets?search=%00", "/admin/?q=%00"],
)
def test_a_query_with_a_nul_breaks_nothing(browser, path):
    assert browser.get(path).status_code < 500


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/n/demo/images/", {"name": "a\0b"}),
        ("/n/demo/images/", {"a\0": "b"}),
        ("/n/demo/detectors/", {"name": "a\0bcd", "version": "1", "bucket": "1"}),
        ("/login/", {"username": "a\0", "password": "b"}),
    ],
)
@pytest.mark.parametrize("urlencoded", [True, False])
def test_a_form_with_a_nul_is_refused(browser, path, form, urlencoded):
    if urlencoded:
        text = "&".join(f"{name}={value}" for name, value in form.items()).replace("\0", "%00")
        answer = browser.post(path, text, content_type="application/x-www-form-urlencoded")
    else:
        answer = browser.post(path, form)
    assert answer.status_code == 400
    assert "NUL" in answer.content.decode()


def test_a_form_without_one_goes_on(browser):
    assert browser.post("/n/demo/images/", {"name": "a %00 b"}).status_code < 400
