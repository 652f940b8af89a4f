"""The page from which programs get in."""

from __future__ import annotations

import re

import pytest

from mixcv.tenancy.models import ApiKey, Membership, Role, User
from tests import factories as make

pytestmark = pytest.mark.django_db
PATH = "/n/demo/api/"


@pytest.fixture
def namespace():
    return make.make_namespace()


@pytest.fixture
def admin(client, namespace):
    client.force_login(make.make_user(namespace, role=Role.ADMIN))
    return client


def test_an_admin_makes_a_key_that_is_shown_once_and_works(admin, client):
    body = {"label": "camera feed", "scopes": ["read", "write"], "rate_limit": "120"}
    answer = admin.post(f"{PATH}keys/", body)
    assert (answer.status_code, answer["Location"]) == (302, PATH)
    page = admin.get(PATH)
    assert "no-store" in page["Cache-Control"]
    key = re.search(r'id="new-key">([^<]+)<', page.content.decode())[1]
    assert key not in admin.get(PATH).content.decode()
    me = client.get("/v1/me", headers={"Authorization": f"Bearer {key}"}).json()
    assert me["key"]["permissions"] == ["read", "write"]
    assert me["rate_limits"]["calls_per_minute"] == 120
    assert "camera feed" in admin.get(PATH).content.decode()


def test_a_new_key_is_not_shown_in_another_namespace(admin):
    other = make.make_namespace("other")
    Membership.objects.create(namespace=other, user=User.objects.get(), role=Role.ADMIN)
    admin.post(f"{PATH}keys/", {"label": "camera feed", "scopes": ["read"]})
    assert "new-key" not in admin.get("/n/other/api/").content.decode()


@pytest.mark.parametrize("path", ["keys/", "keys/1/revoke"])
def test_an_address_that_takes_forms_leads_to_their_page(admin, path):
    assert admin.get(f"{PATH}{path}", follow=True).redirect_chain[-1][0] == PATH
    assert admin.get(f"{PATH}{path}", headers={"Accept": "application/json"}).status_code == 405
    assert admin.get(f"{PATH}{path}", headers={"HX-Request": "true"}).status_code == 405


def test_forms_of_other_pages_lead_back_as_well(admin, namespace):
    make.make_bucket(namespace, "yard")
    assert admin.get("/n/demo/images/yard/upload")["Location"] == "/n/demo/images/yard/"
    assert admin.delete("/n/demo/images/yard/upload").status_code == 405


def test_revoking_names_the_key(admin, namespace):
    make.make_key(namespace, label="old feed")
    page = " ".join(admin.get(PATH).content.decode().split())
    assert "Programs that use <b>old feed</b>" in page
    assert ">Revoke old feed</button>" in page


def test_a_key_is_revoked(admin, namespace, client):
    key = make.make_key(namespace, label="old")
    row = ApiKey.objects.get()
    admin.post(f"{PATH}keys/{row.pk}/revoke")
    assert client.get("/v1/me", headers={"Authorization": f"Bearer {key}"}).status_code == 401
    assert "revoked" in admin.get(PATH).content.decode()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"label": "", "scopes": ["read"]}, "required"),
        ({"label": "x"}, "Choose what the key may do"),
        ({"label": "x", "scopes": ["root"]}, "root"),
        ({"label": "x", "scopes": ["read"], "rate_limit": "-1"}, "greater than or equal to 0"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused_in_words(admin, body, words):
    page = admin.post(f"{PATH}keys/", body)
    assert page.status_code == 422
    assert words in page.content.decode()
    assert not ApiKey.objects.exists()


def test_others_see_how_and_not_the_keys(client, namespace):
    make.make_key(namespace, label="hidden one")
    client.force_login(make.make_user(namespace, role=Role.MANAGER))
    page = client.get(PATH).content.decode()
    assert "export MP_API_URL" in page
    assert "hidden one" not in page
    assert client.post(f"{PATH}keys/", {"label": "x", "scopes": ["read"]}).status_code == 403
    assert client.post(f"{PATH}keys/{ApiKey.objects.get().pk}/revoke").status_code == 403


def test_a_key_of_another_namespace_is_not_there(admin):
    make.make_key(make.make_namespace("other"))
    assert admin.post(f"{PATH}keys/{ApiKey.objects.get().pk}/revoke").status_code == 404
    assert ApiKey.objects.get().revoked_at is None


@pytest.mark.parametrize("rows", [1, 3])
def test_the_page_takes_the_same_number_of_queries(admin, namespace, rows, django_assert_num_queries):
    for _ in range(rows):
        make.make_key(namespace)
    with django_assert_num_queries(7):
        admin.get(PATH)
