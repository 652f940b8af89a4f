"""Signing in, the account, and the way to the first page."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.test import Client

from mixcv.tenancy.models import User
from tests import factories

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


@pytest.fixture
def user() -> User:
    return factories.make_user(factories.make_namespace("demo"), name="ines", password=PASSWORD)


@pytest.fixture
def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def sign_in(password: str) -> int:
    return Client().post("/login/", {"username": "ines", "password": password}).status_code


def test_a_name_is_locked_after_ten_wrong_passwords(user: User) -> None:
    assert {sign_in("wrong") for _ in range(10)} == {200}
    assert sign_in(PASSWORD) == 200, "even the right one waits"
    page = Client().post("/login/", {"username": "ines", "password": PASSWORD})
    assert b"Too many wrong passwords" in page.content


def test_a_right_password_forgets_the_wrong_ones(user: User) -> None:
    for _ in range(9):
        sign_in("wrong")
    assert sign_in(PASSWORD) == 302
    assert sign_in("wrong") == 200
    assert sign_in(PASSWORD) == 302


@pytest.mark.parametrize("outside", ["https://elsewhere.example/", "//elsewhere.example/"])
def test_signing_in_never_leads_outside(user: User, outside: str) -> None:
    answer = Client().post(
        f"/login/?next={outside}", {"username": "ines", "password": PASSWORD, "next": outside}
    )
    assert answer.headers["Location"] == "/"


def test_the_root_leads_to_the_namespace_where_one_was_last(browser: Client, user: User) -> None:
    other = factories.make_namespace("yard")
    factories.Membership.objects.create(namespace=other, user=user)
    assert browser.get("/").headers["Location"] == "/n/demo/"
    browser.get("/n/yard/")
    assert browser.get("/").headers["Location"] == "/n/yard/"


def test_who_belongs_nowhere_is_told_how_to_get_in() -> None:
    client = Client()
    client.force_login(factories.make_user(name="omar"))
    page = client.get("/")
    assert page.status_code == 200
    assert b"Ask an admin to add omar to a namespace" in page.content


def test_the_theme_is_kept_on_the_account(browser: Client, user: User) -> None:
    assert b'data-theme="dark"' in browser.get("/n/demo/").content
    back = browser.post(
        "/account/theme/", {"theme": "light"}, headers={"Referer": "http://testserver/n/demo/"}
    )
    assert back.headers["Location"] == "http://testserver/n/demo/"
    user.refresh_from_db()
    assert user.theme == "light"
    assert b'data-theme="light"' in browser.get("/n/demo/").content
    assert browser.post("/account/theme/", {"theme": "pink"}).status_code == 422
    away = browser.post(
        "/account/theme/", {"theme": "dark"}, headers={"Referer": "https://elsewhere.example/"}
    )
    assert away.headers["Location"] == "/account/"


def test_a_new_password_keeps_one_signed_in_here(browser: Client, user: User) -> None:
    new = "battery staple 7"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert browser.post("/account/", form | {"old_password": "wrong"}).status_code == 422
    assert browser.post("/account/", form).status_code == 302
    assert browser.get("/account/").status_code == 200
    user.refresh_from_db()
    assert user.check_password(new)


def test_a_fragment_for_nobody_sends_the_browser_to_the_login(user: User) -> None:
    answer = Client().get("/n/demo/review/", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["HX-Refresh"] == "true"


def test_every_page_has_the_strict_policy(browser: Client) -> None:
    for path in ("/login/", "/account/", "/n/demo/", "/n/nowhere/"):
        policy = (Client() if path == "/login/" else browser).get(path).headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
