"""Namespaces, keys, the first start."""

from __future__ import annotations

import io

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command

from mixcv.kernel.errors import AlreadyExists, InvalidInput
from mixcv.kernel.models import Event
from mixcv.tenancy.actors import SYSTEM, person, program
from mixcv.tenancy.domain import (
    create_api_key,
    create_namespace,
    ensure_namespace,
    first_start,
    remove_membership,
    revoke_api_keys,
    set_membership,
)
from mixcv.tenancy.models import ApiKey, Membership, Namespace, Role, User
from tests import factories as make

pytestmark = pytest.mark.django_db


def test_the_first_start_makes_one_admin_with_a_random_password():
    login = first_start()
    assert authenticate(username=login.login, password=login.password).is_superuser
    assert first_start() is None
    assert User.objects.count() == 1


def test_a_key_is_shown_once_and_kept_as_a_hash():
    key, text = create_api_key(namespace=make.make_namespace())
    assert text not in str(ApiKey.objects.values().get())
    assert text.startswith(key.prefix)


def test_two_keys_of_one_label_are_two_actors():
    namespace = make.make_namespace()
    one, other = (program(create_api_key(namespace=namespace, label="bot")[0]) for _ in range(2))
    assert one.name != other.name
    assert one.name.startswith("key:bot:")
    assert len(program(create_api_key(namespace=namespace, label="x" * 300)[0]).name) <= 200


def test_a_membership_is_set_and_removed_with_an_event_each():
    namespace, user, root = make.make_namespace(), make.make_user(), make.make_user(name="root")
    set_membership(namespace=namespace, user=user, role=Role.ADMIN, by=person(root))
    assert remove_membership(namespace=namespace, user=user, by=person(root))
    assert not remove_membership(namespace=namespace, user=user, by=person(root))
    assert not Membership.objects.exists()
    events = Event.objects.filter(type__startswith="membership.", actor="root").order_by("pk")
    assert [event.type for event in events] == ["membership.set", "membership.removed"]


def test_two_names_with_one_id_are_refused():
    create_namespace(name="Street Cameras")
    with pytest.raises(AlreadyExists, match="ns_street_cameras"):
        create_namespace(name="street cameras")
    assert ensure_namespace(name="Street Cameras").pk == Namespace.objects.get().pk


def test_a_scope_that_there_is_not_is_refused():
    with pytest.raises(InvalidInput, match="read, write, delete, admin"):
        create_api_key(namespace=make.make_namespace(), scopes=["everything"])


def test_the_command_prints_the_key_alone(client):
    out = io.StringIO()
    call_command("create_api_key", "--namespace", "fresh", "--name", "script", stdout=out)
    key = out.getvalue().strip()
    assert "\n" not in key
    answer = client.get("/v1/collections", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200


def test_a_revoked_key_opens_nothing(client):
    key, text = create_api_key(namespace=make.make_namespace())
    revoke_api_keys(keys=[key], by=SYSTEM)
    answer = client.get("/v1/collections", headers={"Authorization": f"Bearer {text}"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "UnauthorizedError")
