"""The client against a server process: truth, datasets, training, evaluations, production."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from extraction.imports.domain import run_import
from extraction.imports.domain.starting import bounds
from extraction.imports.models import TruthImport
from extraction.packages.models import ExtractorVersion
from mixcv.client import ApiError, Client
from mixcv.tenancy.models import Namespace
from tests import factories as make
from tests.client.serving import WebServer
from tests.extraction.imports import sources
from tests.review.datasets import building
from tests.review.training.scenes import digits_version


@pytest.fixture
def namespace(transactional_db: None) -> Namespace:
    return make.make_namespace("shop")


@pytest.fixture
def client(server: WebServer, namespace: Namespace) -> Client:
    return Client(api_key=make.make_key(namespace), base_url=server.url, max_wait=5)


@pytest.fixture
def version(namespace: Namespace) -> ExtractorVersion:
    """The digits' detector with images that are reviewed whole, in training and in the holdout."""
    version = digits_version(namespace)
    collection = make.make_collection(make.make_bucket(namespace, "desk"), "found", version=version)
    building.ready(collection, train=4, val=2)
    return version


def test_truth_goes_in_and_its_faults_are_told(client: Client, tmp_path: Path) -> None:
    client.buckets.create("yard")
    lines = {"a": "0 0.5 0.5 0.25 0.25\n9 0 0 1 1\n", "b": ""}
    archive = sources.zipped(sources.yolo(tmp_path / "in", lines), tmp_path / "cells.zip")
    started = client.buckets.truth.upload("yard", archive, format="yolo")
    # As a worker would; where one is about, one of the two holds it.
    run_import(key=TruthImport.objects.get().pk, bounds=bounds())
    done = client.buckets.truth.wait("yard", started.import_id, timeout=30, every=0.1)
    assert (done.status, done.counts["pictures"]) == ("COMPLETED_WITH_ERRORS", 2)
    faults = client.buckets.truth.faults("yard", started.import_id)
    assert [fault.line for fault in faults] == [2]
    assert [row.import_id for row in client.buckets.truth.list("yard")] == [started.import_id]
    assert len(list(client.buckets.truth.iterate("yard"))) == 1
    with pytest.raises(ApiError, match="There is no"):
        client.buckets.truth.upload("yard", tmp_path / "nothing.zip")


def test_truth_that_fails_raises_with_its_reason(client: Client, tmp_path: Path) -> None:
    client.buckets.create("yard")
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as archive:
        archive.writestr("readme.txt", "no truth")
    started = client.buckets.truth.upload("yard", tmp_path / "odd.zip")
    run_import(key=TruthImport.objects.get().pk, bounds=bounds())
    with pytest.raises(ApiError, match="No ground truth was found") as refused:
        client.buckets.truth.wait("yard", started.import_id, timeout=30, every=0.1)
    assert refused.value.code == "failed"


def test_a_dataset_is_planned_frozen_and_exported(
    client: Client, version: ExtractorVersion, tmp_path: Path
) -> None:
    made = client.datasets.create("street", feature_extractor_name="digits", policy={"seed": 3})
    assert made.policy["seed"] == 3
    assert client.datasets.update("street", policy={"background_share": 0.05}).policy["seed"] == 3
    assert client.datasets.plan("street").images == 6
    documents = [row.document_id for row in client.documents.list(["found"])][:2]
    assert client.datasets.include("street", document_ids=documents, kind="hard_negative").images == 2
    assert client.datasets.exclude("street", document_ids=documents).images == 2
    built = client.datasets.build("street")
    assert (built.version, built.image_count) == (1, 6)
    assert client.datasets.version("street", 1).manifest_sha256 == built.manifest_sha256
    assert [row.version for row in client.datasets.versions("street")] == [1]
    target = client.datasets.export("street", 1, tmp_path / "street.zip")
    with zipfile.ZipFile(target) as archive:
        assert "data.yaml" in archive.namelist()
        assert archive.testzip() is None
    client.datasets.export("street", 1, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == target.read_bytes()
    with pytest.raises(ApiError) as refused:
        client.datasets.export("street", 7, tmp_path / "none.zip")
    assert refused.value.status == 404
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.zip", "street.zip"]
    client.datasets.delete_version("street", 1)
    client.datasets.delete("street")
    assert [*client.datasets.list(), *client.datasets.iterate()] == []


def test_images_are_said_to_be_whole(client: Client, namespace: Namespace) -> None:
    collection = make.make_collection(make.make_bucket(namespace, "yard"), "bare")
    make.make_detected(collection, detections=[])
    (row,) = client.documents.list(["bare"])
    (done,) = client.annotations.complete([row.document_id], collection_id="bare")
    assert done.to_dict() == {"document_id": row.document_id, "completeness": "verified_empty"}


def test_a_training_run_is_started_read_and_stopped(client: Client, version: ExtractorVersion) -> None:
    client.datasets.create("street", feature_extractor_name="digits")
    client.datasets.build("street")
    run = client.training_runs.create(
        dataset_id="street", dataset_version=1, base_version="digits@1.0.0", settings={"epochs": 3}
    )
    assert run.settings["epochs"] == 3
    assert client.training_runs.get(run.run_id).epochs == []
    assert [row.run_id for row in client.training_runs.list()] == [run.run_id]
    assert len(list(client.training_runs.iterate())) == 1
    client.training_runs.cancel(run.run_id)
    with pytest.raises(ApiError, match="did not complete: CANCELED") as ended:
        client.training_runs.wait(run.run_id, timeout=30, every=0.1)
    assert ended.value.details["run_id"] == run.run_id
    with pytest.raises(ApiError):
        client.training_runs.collection(run.run_id, collection_name="none yet")


def test_an_evaluation_is_started_read_and_stopped(client: Client, version: ExtractorVersion) -> None:
    client.datasets.create("street", feature_extractor_name="digits")
    client.datasets.build("street")
    made = client.evaluations.create(dataset_id="street", versions=["digits@1.0.0"], threshold=0.4)
    assert (made.threshold, made.image_count) == (0.4, 2)
    assert client.evaluations.get(made.evaluation_id).comparisons == []
    assert [row.evaluation_id for row in client.evaluations.list()] == [made.evaluation_id]
    assert len(list(client.evaluations.iterate())) == 1
    client.evaluations.cancel(made.evaluation_id)
    with pytest.raises(ApiError, match="CANCELED"):
        client.evaluations.wait(made.evaluation_id, timeout=30, every=0.1)


def test_production_is_asked_for_gated_and_changed(client: Client, version: ExtractorVersion) -> None:
    assert client.extractors.production("digits").version == "1.0.0"
    make.make_version(version.extractor.namespace, "digits", "2.0.0")
    assert client.extractors.gate("digits", "2.0.0").open is False
    with pytest.raises(ApiError) as refused:
        client.extractors.promote("digits", "2.0.0")
    assert refused.value.status == 409
    there = client.extractors.promote("digits", "2.0.0", reason="measured elsewhere", override=True)
    assert (there.version, there.history[0]["reason"]) == ("2.0.0", "measured elsewhere")
    client.extractors.promote("digits", "1.0.0", reason="it was better", override=True)
    assert client.extractors.roll_back("digits", reason="misses sevens").version == "2.0.0"
