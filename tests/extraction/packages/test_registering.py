"""Uploaded packages as versions: registered with all faults told, deployed with warnings, undeployed, deleted."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import pytest
from django.db import connection

from extraction.packages import domain
from extraction.packages.domain import deploying
from extraction.packages.host.spec import HostInfo
from extraction.packages.models import Deployment, Extractor, ExtractorVersion, ProductionChange
from extraction.runs import domain as runs
from mixcv.kernel.errors import AlreadyExists, InvalidInput
from mixcv.kernel.models import Event
from mixcv.tenancy.actors import SYSTEM
from mixcv.tenancy.models import Namespace
from tests import factories as make
from tests.extraction.packages import packages
from tests.extraction.packages.archives import keep, package_zip

pytestmark = pytest.mark.django_db
EMBEDDER = {"id": "offline", "version": "1", "dim": 512, "weights_sha256": "a" * 64}
INFO = HostInfo("cpu", {0: "thing"}, EMBEDDER, {"torch": "2"})


@pytest.fixture
def namespace() -> Namespace:
    return make.make_namespace()


def register(namespace: Namespace, manifest: str = packages.MANIFEST, **kwargs: Any) -> ExtractorVersion:
    archive = keep(namespace, package_zip(manifest=manifest))
    return domain.register_package(namespace=namespace, archive=archive, **kwargs)


def bring_up(monkeypatch: pytest.MonkeyPatch, version: ExtractorVersion, info: HostInfo = INFO) -> None:
    """Deployment with this answer of the host in place of a process."""
    monkeypatch.setattr(deploying, "warm_host", lambda version: type("Host", (), {"info": info}))
    deployment = domain.deploy(version=version)
    domain.bring_up(deployment=Deployment.objects.get(pk=deployment.pk))
    version.refresh_from_db()


def test_a_package_becomes_a_version(namespace: Namespace) -> None:
    version = register(namespace, name="trial", version="v1")
    assert (version.public_id, version.state) == ("trial_1_0_0", "registered")
    assert version.archive is not None
    assert version.manifest["description"] == version.extractor.description == "For tests"
    assert Event.objects.filter(type="extractor_version.registered", subject="trial_1_0_0").exists()


def test_a_version_is_there_once(namespace: Namespace) -> None:
    register(namespace)
    with pytest.raises(AlreadyExists, match=r"trial has a version 1\.0\.0 already"):
        register(namespace)
    with pytest.raises(AlreadyExists, match="Choose another name"):
        register(namespace, packages.MANIFEST.replace('"trial"', '"Trial"'))
    assert not Extractor.objects.filter(name="Trial").exists()


def test_what_the_upload_said_must_be_the_manifests(namespace: Namespace) -> None:
    with pytest.raises(domain.InvalidPackage) as caught:
        register(namespace, name="other", version="2.0.0")
    assert len(caught.value.faults) == 2
    assert "the upload says 'other'" in caught.value.faults[0]
    assert "version is '1.0.0', but the upload says '2.0.0'" in caught.value.faults[1]
    assert not ExtractorVersion.objects.exists()
    with pytest.raises(InvalidInput, match=r"such as 1\.0\.0"):
        register(namespace, version="new")


def test_a_missing_dependency_fails_the_deployment_by_name(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = packages.MANIFEST.replace(
        "dependencies = []", 'dependencies = ["nowhere-to-be-found>=1", "numpy"]'
    )
    version = register(namespace, manifest)
    bring_up(monkeypatch, version)
    assert version.state == "failed"
    assert "needs nowhere-to-be-found, which is not installed" in version.error


@pytest.mark.parametrize("strict", [False, True])
def test_another_version_of_a_dependency_warns_or_fails(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch, settings: Any, strict: bool
) -> None:
    settings.MIXCV_STRICT_DEPENDENCIES = strict
    manifest = packages.MANIFEST.replace(
        "dependencies = []", 'dependencies = ["numpy==1.0", "opencv-python"]'
    )
    version = register(namespace, manifest)
    bring_up(monkeypatch, version)
    if strict:
        assert (version.state, "asks for numpy==1.0" in version.error) == ("failed", True)
    else:
        assert (version.state, len(version.warnings)) == ("ready", 1)
        assert "asks for numpy==1.0" in version.warnings[0]


@pytest.mark.parametrize(
    ("profile", "device", "number"),
    [
        ('{"resource_type": "gpu"}', "cpu", 1),
        ('{"resource_type": "cpu", "num_gpus": 2}', "cpu", 1),
        ('{"resource_type": "gpu"}', "cuda:0", 0),
        ('{"resource_type": "cpu"}', "cpu", 0),
    ],
)
def test_a_gpu_is_a_wish(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch, profile: str, device: str, number: int
) -> None:
    version = register(namespace, packages.MANIFEST.replace('{"resource_type": "cpu"}', profile))
    bring_up(monkeypatch, version, HostInfo(device, {}, EMBEDDER, {}))
    assert (version.state, len(version.warnings)) == ("ready", number)


def test_undeploying_keeps_the_version_and_it_can_come_back(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    version = register(namespace)
    with pytest.raises(domain.NotDeployable, match="is registered, not deployed"):
        domain.undeploy(version=version, by=SYSTEM)
    bring_up(monkeypatch, version)
    forgotten: list[int] = []
    monkeypatch.setattr("extraction.packages.domain.versions.forget_hosts", forgotten.append)
    with django_capture_on_commit_callbacks(execute=True):
        domain.undeploy(version=version, by=SYSTEM)
    version.refresh_from_db()
    assert (version.state, version.deployed_at, forgotten) == ("registered", None, [version.pk])
    bring_up(monkeypatch, version)
    assert version.state == "ready"


def test_a_version_that_collections_use_is_not_deleted(namespace: Namespace) -> None:
    version = register(namespace)
    collection = make.make_collection(make.make_bucket(namespace), "yard", version=version)
    with pytest.raises(domain.InUse, match="used by the collection col_yard"):
        domain.delete_version(version=version, by=SYSTEM)
    collection.delete()
    assert domain.delete_version(version=version, by=SYSTEM) is False
    assert not Extractor.objects.exists()


def test_deleting_what_is_in_production_leaves_its_history(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = register(namespace)
    bring_up(monkeypatch, version)
    assert domain.delete_version(version=version, by=SYSTEM) is True
    extractor = Extractor.objects.get()
    assert extractor.production is None  # the extractor keeps the indices of its classes
    reasons = list(ProductionChange.objects.order_by("pk").values_list("reason", flat=True))
    assert reasons == ["1.0.0, deleted later: the first version that was deployed", "1.0.0 was deleted"]


def test_the_images_of_an_undeployed_version_wait(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Undeployed between two chunks, it gets no further one, and no host is started for it again."""
    version = register(namespace)
    bring_up(monkeypatch, version)
    bucket = make.make_bucket(namespace)
    make.make_objects(bucket, 2)
    collection = make.make_collection(bucket, version=version)
    monkeypatch.setattr("extraction.packages.domain.versions.forget_hosts", lambda key: None)
    monkeypatch.setattr("extraction.runs.domain.process.chunk_images", lambda collection: 1)

    class Host:
        def submit(self, paths: list[object]) -> Any:
            domain.undeploy(version=version, by=SYSTEM)
            done: Future[Any] = Future()
            done.set_result([make.result()])
            return done

    monkeypatch.setattr("extraction.runs.domain.process.warm_host", lambda *args: Host())
    batch = runs.submit_batch(batch=runs.create_batch(bucket=bucket, collections=[collection]))
    assert runs.run_collection(collection_id=collection.pk) == 1
    assert sorted(batch.items.values_list("state", flat=True)) == ["DONE", "PENDING"]


def test_a_host_that_comes_up_for_nobody_goes(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    version = register(namespace)
    forgotten: list[int] = []
    monkeypatch.setattr(deploying, "forget_hosts", forgotten.append)
    monkeypatch.setattr("extraction.packages.domain.versions.forget_hosts", lambda key: None)

    def slow(row: ExtractorVersion) -> Any:
        domain.undeploy(version=row, by=SYSTEM)
        return type("Host", (), {"info": INFO})

    monkeypatch.setattr(deploying, "warm_host", slow)
    deployment = domain.deploy(version=version)
    with django_capture_on_commit_callbacks(execute=True):
        domain.bring_up(deployment=Deployment.objects.get(pk=deployment.pk))
    version.refresh_from_db()
    assert (version.state, forgotten) == ("registered", [version.pk])


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_is_told_that_the_version_is_there() -> None:
    """The same name, and another name of the same id: the second waits for the first and is refused."""
    namespace = make.make_namespace("at once")
    archives = [
        keep(namespace, package_zip(manifest=packages.MANIFEST.replace('"trial"', f'"{name}"')))
        for name in ("trial", "trial", "Trial", "TRIAL")
    ]
    outcomes: list[str] = []
    together = threading.Barrier(len(archives))

    def work(archive: Any) -> None:
        try:
            together.wait()
            domain.register_package(namespace=namespace, archive=archive)
            outcomes.append("made")
        except AlreadyExists:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[archive]) for archive in archives]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "refused", "refused", "refused"]
    assert ExtractorVersion.objects.filter(extractor__namespace=namespace).count() == 1
    assert Extractor.objects.filter(namespace=namespace).count() == 1
