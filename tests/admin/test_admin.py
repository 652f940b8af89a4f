"""Django's own admin in our hands."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from extraction.intake.models import Object
from extraction.packages.models import ExtractorVersion
from mixcv.kernel.admin import EstimatedPaginator
from mixcv.kernel.models import Event
from mixcv.tenancy.models import ApiKey, Membership, Namespace, User
from tests import factories

pytestmark = pytest.mark.django_db

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture
def root(client):
    User.objects.create_superuser("root", password="correct horse")
    client.force_login(User.objects.get(username="root"))
    return client


def list_of(model):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def make_rows() -> None:
    """One more of everything."""
    number = Namespace.objects.count()
    namespace = factories.make_namespace(f"space {number}")
    bucket = factories.make_bucket(namespace)
    collection = factories.make_collection(bucket)
    factories.make_detected(collection)
    factories.make_key(namespace)
    factories.make_user(namespace)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_list_opens_and_asks_as_often_for_one_row_as_for_three(root, model):
    make_rows()
    counts = []
    for more in (0, 2):
        for _ in range(more):
            make_rows()
        with CaptureQueriesContext(connection) as queries:
            assert root.get(list_of(model)).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_list_can_be_searched_and_every_row_opened(root, model):
    make_rows()
    assert root.get(list_of(model), {"q": "a"}).status_code == 200
    if row := model._default_manager.first():
        page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])
        assert root.get(page).status_code == 200


def test_no_list_counts_all_rows_beside_those_it_found():
    for model, page in admin.site._registry.items():
        assert not page.show_full_result_count, model
        assert page.paginator is EstimatedPaginator, model


def test_it_estimates_beyond_the_exact_bound(monkeypatch):
    factories.make_objects(factories.make_bucket(factories.make_namespace()), 3)
    assert EstimatedPaginator(Object.objects.order_by("id"), 2).count == 3
    monkeypatch.setattr(EstimatedPaginator, "EXACT", 1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE extraction_object")
    assert EstimatedPaginator(Object.objects.order_by("id"), 2).count == 3
    assert EstimatedPaginator(Object.objects.filter(state="READY").order_by("id"), 2).count == 2


def test_the_pages_come_in_our_tokens_and_no_inline_script(root):
    for address in (reverse("admin:index"), list_of(Object), reverse("admin:tenancy_apikey_add")):
        text = root.get(address).content.decode()
        assert "admin-mixcv.css" in text
        assert "admin-dark.css" in text
        assert "<script>" not in text
        assert "style=" not in text


@pytest.mark.parametrize("model", [Object, ExtractorVersion], ids=lambda model: model.__name__)
def test_rows_that_verbs_own_cannot_be_changed_here(root, model):
    make_rows()
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    row = model.objects.first()
    assert root.get(reverse(f"{name}_add")).status_code == 403
    assert root.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403
    assert root.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


def act(client, model, action, *rows):
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    answer = client.post(list_of(model), data, follow=True)
    return [str(message) for message in answer.context["messages"]]


def test_promote_and_retire_go_through_their_verbs(root):
    namespace = factories.make_namespace()
    first, second = (factories.make_version(namespace, version=number) for number in ("1.0.0", "2.0.0"))
    assert act(root, ExtractorVersion, "promote", first) == ["detector 1.0.0 is in production."]
    assert "is in production. Put another" in act(root, ExtractorVersion, "retire", first)[0]
    assert act(root, ExtractorVersion, "retire", second) == ["detector 2.0.0 is retired."]
    first.extractor.refresh_from_db()
    assert first.extractor.production_id == first.pk
    assert Event.objects.filter(type="extractor_version.retired", actor="root").count() == 1


def test_deploy_goes_through_its_verb(root):
    version = factories.make_version(factories.make_namespace())
    assert act(root, ExtractorVersion, "deploy", version)
    assert version.deployments.count() <= 1


def test_a_key_is_shown_once_and_revoked(root):
    namespace = factories.make_namespace()
    data = {"namespace": namespace.pk, "label": "robot", "scopes": ["read", "write"]}
    answer = root.post(reverse("admin:tenancy_apikey_add"), data, follow=True)
    key = ApiKey.objects.get()
    text = answer.content.decode()
    assert text.count("mxcv_") >= 1
    shown = next(str(message) for message in answer.context["messages"] if "mxcv_" in str(message))
    secret = shown.partition("<code>")[2].partition("</code>")[0]
    assert secret not in root.get(list_of(ApiKey)).content.decode()
    ask = {"Authorization": f"Bearer {secret}"}
    assert root.get("/v1/buckets", headers=ask).status_code == 200
    assert "1 revoked" in act(root, ApiKey, "revoke", key)[0]
    assert root.get("/v1/buckets", headers=ask).status_code == 401


def test_a_namespace_is_made_by_its_verb(root):
    data = {
        "name": "Night shift",
        "description": "",
        "memberships-TOTAL_FORMS": "0",
        "memberships-INITIAL_FORMS": "0",
    }
    root.post(reverse("admin:tenancy_namespace_add"), data)
    assert Namespace.objects.get().public_id == "ns_night_shift"
    assert Event.objects.filter(type="namespace.created", actor="root").exists()


def members_form(namespace, *rows):
    data = {
        "description": namespace.description,
        "memberships-TOTAL_FORMS": str(len(rows)),
        "memberships-INITIAL_FORMS": str(sum(bool(row.get("id")) for row in rows)),
    }
    for number, row in enumerate(rows):
        row = {"namespace": namespace.pk, **row}
        data |= {f"memberships-{number}-{name}": value for name, value in row.items()}
    return data


def test_memberships_are_set_and_removed_by_their_verbs(root):
    namespace = factories.make_namespace()
    ines, ole, una, eva = (factories.make_user(name=name) for name in ("ines", "ole", "una", "eva"))
    page = reverse("admin:tenancy_namespace_change", args=[namespace.pk])

    def save(*rows):
        Event.objects.all().delete()
        assert root.post(page, members_form(namespace, *rows)).status_code == 302
        return list(Event.objects.filter(actor="root").order_by("pk").values_list("type", "subject"))

    def members():
        return dict(Membership.objects.values_list("user__username", "role"))

    rows = [{"user": user.pk, "role": "reviewer"} for user in (ines, ole, una)]
    assert save(*rows) == [("membership.set", f"user_{user.pk}") for user in (ines, ole, una)]
    for row in rows:
        row["id"] = Membership.objects.get(user=row["user"]).pk
    assert save(*rows) == []
    rows[0]["role"], rows[1]["DELETE"], rows[2]["user"] = "admin", "on", eva.pk
    assert save(*rows) == [
        ("membership.removed", f"user_{ole.pk}"),
        ("membership.removed", f"user_{una.pk}"),
        ("membership.set", f"user_{ines.pk}"),
        ("membership.set", f"user_{eva.pk}"),
    ]
    assert members() == {"ines": "admin", "eva": "reviewer"}


def test_a_new_namespace_comes_with_its_members(root):
    user = factories.make_user(name="ines")
    data = {
        "name": "Night shift",
        "description": "",
        "memberships-TOTAL_FORMS": "1",
        "memberships-INITIAL_FORMS": "0",
        "memberships-0-user": str(user.pk),
        "memberships-0-role": "reviewer",
    }
    assert root.post(reverse("admin:tenancy_namespace_add"), data).status_code == 302
    assert Membership.objects.get().namespace.public_id == "ns_night_shift"
    assert Event.objects.filter(type="membership.set", actor="root").count() == 1


def test_people_without_the_staff_mark_are_sent_away(client):
    client.force_login(factories.make_user(factories.make_namespace()))
    assert client.get(reverse("admin:index")).status_code == 302
