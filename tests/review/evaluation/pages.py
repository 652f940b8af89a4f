"""Pages of evaluations as tests open them."""

from __future__ import annotations

from django.test import Client

from extraction.packages.domain.versions import set_production
from mixcv.tenancy.models import Role
from tests import factories as make
from tests.review.evaluation.measuring import BEA, TRUE, evaluate, holdout, hosts

HOME = "/n/demo/versions/"
NO_BUS = [one for one in TRUE if one.class_name != "bus"]


def client_of(namespace, role=Role.MANAGER):
    client = Client()
    client.force_login(make.make_user(namespace, role=role))
    return client


def text_of(answer, status=200):
    assert answer.status_code == status
    return answer.content.decode()


def two_versions(namespace, **kwargs):
    first, dataset_version = holdout(namespace, **kwargs)
    set_production(first, actor=BEA, reason="the first")
    first.extractor.refresh_from_db()
    return first, make.make_version(namespace, "street", "2.0.0"), dataset_version


def at(row, rest=""):
    return f"{HOME}compare/{row.public_id}/{rest}"


def compare_two(namespace, two, monkeypatch):
    """Version 2 finds what version 1 misses."""
    first, second, dataset_version = two
    wrong = make.found("truck", 0.5, (20, 20, 10, 10))
    far = make.found("person", 0.5, (20, 200, 10, 10))
    hosts(
        monkeypatch,
        {"1.0.0": [*NO_BUS, far, make.found("bus", 0.45, (20, 20, 10, 10))], "2.0.0": [*TRUE, wrong]},
    )
    return evaluate(namespace, dataset_version, [first, second])
