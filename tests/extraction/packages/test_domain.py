"""Versions: registered once, deployed in one space, in production with a history."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from django.utils import timezone

from extraction.classes.models import ObjectClass
from extraction.packages import domain
from extraction.packages.domain import deploying
from extraction.packages.host.spec import HostInfo
from extraction.packages.hosts import EmbedderChanged, check_embedder, spec_of
from extraction.packages.models import ClassIndex, Deployment, ExtractorVersion, ProductionChange
from mixcv.kernel.errors import AlreadyExists, InvalidInput
from mixcv.tenancy.actors import SYSTEM
from tests import factories as make

pytestmark = pytest.mark.django_db
EMBEDDER = {"id": "offline", "version": "1", "dim": 512, "weights_sha256": "a" * 64}
INFO = HostInfo("cpu", {0: "bus", 1: "person"}, EMBEDDER, {"torch": "2"})


@pytest.fixture
def namespace():
    return make.make_namespace()


@pytest.fixture
def bring_up(monkeypatch):
    """Deployment with this answer of the host in place of a process."""

    def up(version, info=INFO) -> ExtractorVersion:
        monkeypatch.setattr(deploying, "warm_host", lambda version: type("Host", (), {"info": info}))
        ExtractorVersion.objects.filter(pk=version.pk).update(state=ExtractorVersion.State.DEPLOYING)
        version.refresh_from_db()
        domain.bring_up(deployment=Deployment.objects.create(extractor_version=version))
        version.refresh_from_db()
        return version

    return up


def test_a_version_is_registered_once_and_never_changes(namespace):
    domain.register_version(namespace=namespace, extractor="street", version="1.0.0")
    with pytest.raises(AlreadyExists, match="never changes"):
        domain.register_version(namespace=namespace, extractor="street", version="1.0.0")


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"version": "1.0"}, "1.0.0"), ({"extractor": "9 lives"}, "letter"), ({"package": "nope"}, "yolo")],
)
def test_what_makes_no_sense_is_refused(namespace, changes, words):
    with pytest.raises(InvalidInput, match=words):
        domain.register_version(
            **{"namespace": namespace, "extractor": "street", "version": "1.0.0"} | changes
        )


def test_a_deployment_gives_classes_indices_and_the_first_version_goes_into_production(namespace, bring_up):
    version = bring_up(domain.register_version(namespace=namespace, extractor="street", version="1.0.0"))
    assert (version.state, version.class_names) == ("ready", ["bus", "person"])
    assert list(ClassIndex.objects.order_by("index").values_list("object_class__name", flat=True)) == [
        "bus",
        "person",
    ]
    version.extractor.refresh_from_db()
    assert version.extractor.production == version


def test_a_second_version_may_add_classes_but_move_none(namespace, bring_up):
    bring_up(domain.register_version(namespace=namespace, extractor="street", version="1.0.0"))
    more = dataclasses.replace(INFO, class_names={0: "bus", 1: "person", 2: "truck"})
    wider = bring_up(domain.register_version(namespace=namespace, extractor="street", version="2.0.0"), more)
    assert wider.state == "ready"
    swapped = dataclasses.replace(INFO, class_names={0: "person", 1: "bus"})
    third = bring_up(
        domain.register_version(namespace=namespace, extractor="street", version="3.0.0"), swapped
    )
    assert third.state == "failed"
    assert "another class at 0" in third.error
    assert ClassIndex.objects.count() == 3


def test_a_version_keeps_the_embedder_of_its_first_deployment(namespace, bring_up, settings):
    settings.MIXCV_EMBEDDER = "offline"
    version = bring_up(domain.register_version(namespace=namespace, extractor="street", version="1.0.0"))
    settings.MIXCV_EMBEDDER = "clip"
    assert spec_of(version).embedder == "offline"
    check_embedder(version, INFO)
    with pytest.raises(EmbedderChanged, match="do not compare"):
        check_embedder(version, dataclasses.replace(INFO, embedder=EMBEDDER | {"weights_sha256": "b" * 64}))


def test_promoting_keeps_its_history_and_what_serves_cannot_retire(namespace, bring_up):
    first = bring_up(domain.register_version(namespace=namespace, extractor="street", version="1.0.0"))
    second = bring_up(domain.register_version(namespace=namespace, extractor="street", version="2.0.0"))
    domain.promote(version=second, by=SYSTEM, reason="better by eye", override=True)
    changes = list(ProductionChange.objects.order_by("pk").values_list("version__version", "reason"))
    assert changes == [("1.0.0", "the first version that was deployed"), ("2.0.0", "better by eye")]
    with pytest.raises(domain.NotDeployable, match="in production"):
        domain.retire(version=second, by=SYSTEM)
    domain.retire(version=first, by=SYSTEM)
    with pytest.raises(domain.NotDeployable, match="retired"):
        domain.deploy(version=first, by=SYSTEM)


def test_a_deployment_whose_worker_was_killed_is_taken_up_again(namespace, bring_up):
    version = domain.register_version(namespace=namespace, extractor="street", version="1.0.0")
    deployment = domain.deploy(version=version)
    version.refresh_from_db()
    assert domain.lost_deployments() == []
    held = timezone.now() + timedelta(seconds=30)
    Deployment.objects.filter(pk=deployment.pk).update(lease_until=held)
    domain.bring_up(deployment=deployment)  # somebody else has it
    assert domain.lost_deployments() == []
    assert ExtractorVersion.objects.get().state == "deploying"
    Deployment.objects.filter(pk=deployment.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert domain.lost_deployments() == [deployment.pk]
    assert bring_up(version).state == "ready"


def test_a_collections_device_goes_before_the_setting(namespace, settings):
    settings.MIXCV_DEVICE = "auto"
    version = domain.register_version(namespace=namespace, extractor="street", version="1.0.0")
    assert spec_of(version).device is None
    spec = spec_of(version, {"device": "cuda:1", "threshold": 0.4})
    assert spec.device == "cuda:1"
    assert '"threshold": 0.4' in spec.parameters
    assert "device" not in spec.parameters


@pytest.mark.parametrize("names", [{0: "cat", 1: "cat"}, {0: " cat", 1: "cat"}])
def test_weights_that_name_a_class_twice_are_refused_in_words(namespace, bring_up, names):
    version = bring_up(
        domain.register_version(namespace=namespace, extractor="street", version="1.0.0"),
        dataclasses.replace(INFO, class_names=names),
    )
    assert (version.state, "twice: cat" in version.error) == ("failed", True)


def test_whatever_breaks_a_deployment_is_recorded(namespace, bring_up, monkeypatch):
    def broken(*args):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(deploying, "_make_features", broken)
    version = bring_up(domain.register_version(namespace=namespace, extractor="street", version="1.0.0"))
    assert (version.state, version.error) == ("failed", "The deployment broke: out of luck")


def test_a_version_retired_while_it_comes_up_stays_retired(namespace, monkeypatch):
    version = domain.register_version(namespace=namespace, extractor="street", version="1.0.0")
    deployment = domain.deploy(version=version)
    version.refresh_from_db()

    def slow(row):
        domain.retire(version=row, by=SYSTEM)
        return type("Host", (), {"info": INFO})

    monkeypatch.setattr(deploying, "warm_host", slow)
    domain.bring_up(
        deployment=Deployment.objects.select_related("extractor_version__extractor").get(pk=deployment.pk)
    )
    version.refresh_from_db()
    version.extractor.refresh_from_db()
    assert (version.state, version.extractor.production) == ("retired", None)


def test_a_class_that_was_merged_keeps_its_index_and_its_weights_are_deployed_again(namespace):
    extractor = make.make_version(namespace).extractor
    deploying._index_classes(extractor, ["bus", "truck"])
    bus, truck = ObjectClass.objects.filter(name__in=["bus", "truck"]).order_by("name")
    ObjectClass.objects.filter(pk=truck.pk).update(merged_into=bus)
    deploying._index_classes(extractor, ["bus", "truck", "van"])
    found = extractor.class_indices.order_by("index").values_list("index", "object_class__name")
    assert list(found) == [(0, "bus"), (1, "truck"), (2, "van")]
    with pytest.raises(deploying.ClassesDiffer, match="Class 1 of these weights is 'van'"):
        deploying._index_classes(extractor, ["bus", "van"])
