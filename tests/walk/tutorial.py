"""The steps of the tutorial, each with what must be there after it: rows, states, files."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings

from extraction.intake.models import Bucket, Object, Upload
from extraction.packages.builtin import SHIPPED_WEIGHTS
from extraction.packages.models import Deployment, ExtractorVersion, RegistryModel
from extraction.packages.registry_files import models_folder
from extraction.runs.models import Batch, BatchItem, Collection, Detection, Document
from extraction.runs.tasks import sweep
from extraction.search.models import Execution, Retriever
from extraction.truth.models import GroundTruthBox
from mixcv.kernel import storage
from mixcv.tenancy.models import Namespace
from review.verdicts.models import Annotation
from tests.processes import wait_until
from tests.walk.blocks import Sections
from tests.walk.frame import make_frame
from tests.walk.place import Call, Place

IDS = {"BUCKET_ID": "bkt_security_footage", "COLLECTION_ID": "col_detected_objects"}
WEIGHTS = SHIPPED_WEIGHTS / "digits.pt"


def bodies_in(block: str) -> list[Any]:
    """The JSON bodies of a block's calls, told by their quotes."""
    return [json.loads(body) for body in re.findall(r"-d '(\{.*?\})'\s*(?:\n|$)", block, re.DOTALL)]


def statuses(calls: Sequence[Call]) -> list[tuple[str, str, int]]:
    """Method, the end of the address and the status of each call."""
    return [(call.method, call.url.split("?")[0].rsplit("/", 1)[1], call.status) for call in calls]


def namespace_of(place: Place) -> Namespace:
    return Namespace.objects.get(public_id=place.environment["NS_ID"])


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# ---- section 1


def write_package(place: Place, page: Sections) -> None:
    """The page's two files, as printed, where its first command looks for them."""
    manifest, pipeline = page.of(1, "python")
    folder = place.folder / "yolo_detector"
    folder.mkdir()
    (folder / "manifest.py").write_text(manifest, encoding="utf-8")
    (folder / "pipeline.py").write_text(pipeline, encoding="utf-8")


def check_deployed(place: Place, calls: list[Call], archive: str, number: str) -> ExtractorVersion:
    """Sent, confirmed and asked to be deployed: the version is there, and comes up."""
    plugin_id = f"yolo_detector_{number.replace('.', '_')}"
    asked, put, confirmed, deployed = calls
    upload_id = asked.json["upload_id"]
    assert statuses(calls) == [
        ("POST", "uploads", 200),
        ("PUT", upload_id, 200),
        ("POST", "confirm", 200),
        ("POST", "deploy", 200),
    ]
    assert put.url == asked.json["presigned_url"]
    assert (confirmed.json["success"], confirmed.json["validation_errors"]) == (True, [])
    assert confirmed.json["plugin_id"] == deployed.json["plugin_id"] == plugin_id
    uri = f"mixpeek://yolo_detector@{number}/detection_embedding"
    assert confirmed.json["feature_uri"] == uri
    version = ExtractorVersion.objects.get(
        extractor__namespace=namespace_of(place), extractor__name="yolo_detector", version=number
    )
    sent = (place.folder / archive).read_bytes()
    assert version.public_id == plugin_id
    assert version.archive is not None
    assert version.archive.sha256 == sha256(sent)
    assert storage.local_path(version.archive.storage_name).read_bytes() == sent
    assert Upload.objects.get(public_id=upload_id).state == Upload.State.COMPLETED
    with zipfile.ZipFile(place.folder / archive) as names:
        assert "yolo_detector/manifest.py" in names.namelist()

    def over() -> bool:
        sweep()  # beat's part
        version.refresh_from_db()
        return version.state in {ExtractorVersion.State.READY, ExtractorVersion.State.FAILED}

    wait_until(over, seconds=180, what=f"the deployment of {plugin_id}")
    assert (version.state, version.error) == (ExtractorVersion.State.READY, "")
    assert version.class_names == [str(digit) for digit in range(7)]
    assert Deployment.objects.filter(extractor_version=version, error="").count() == 1
    feature = version.features.get(name="detection_embedding")
    assert feature.space is not None
    assert (feature.uri, feature.space.dimension, feature.space.metric) == (uri, 512, "cosine")
    return version


def deploy(place: Place, page: Sections) -> None:
    write_package(place, page)
    check_deployed(place, place.bash(page.of(1, "bash")[0]), "yolo_detector.zip", "1.0.0")


# ---- section 2


def check_ingested(place: Place) -> None:
    namespace = namespace_of(place)
    bucket = Bucket.objects.get(namespace=namespace)
    assert (bucket.public_id, bucket.name) == (IDS["BUCKET_ID"], "security_footage")
    assert set(bucket.schema["properties"]) == {"image", "camera_id", "timestamp"}
    collection = Collection.objects.get(namespace=namespace)
    assert (collection.public_id, str(collection.extractor_version)) == (
        IDS["COLLECTION_ID"],
        "yolo_detector 1.0.0",
    )
    assert list(collection.buckets.all()) == [bucket]
    row = Object.objects.get(bucket=bucket)
    assert row.source_url == "s3://my-bucket/footage/frame_001.jpg"
    assert set(row.metadata) == {"camera_id", "timestamp"}


def process(place: Place, page: Sections) -> None:
    """The batch by hand, until the frame is detected."""
    calls = place.bash(page.of(2, "bash")[1])
    assert [(call.method, call.status) for call in calls] == [("GET", 200), ("POST", 200), ("POST", 200)]
    listed, created, submitted = calls
    namespace = namespace_of(place)
    row = Object.objects.get(bucket__namespace=namespace)
    assert [one["object_id"] for one in listed.json["results"]] == [row.public_id]
    batch = Batch.objects.get(public_id=created.json["batch_id"])
    assert (batch.name, submitted.json["task_type"]) == ("yolo-run", "api_buckets_batches_process")
    assert json.loads(created.sent or "")["object_ids"] == [row.public_id]

    def over() -> bool:
        sweep()  # beat's part
        return all(one.is_over for one in Batch.objects.filter(bucket__namespace=namespace))

    wait_until(over, seconds=180, what="the batches")
    batch.refresh_from_db()
    states = set(BatchItem.objects.filter(batch__bucket__namespace=namespace).values_list("state", flat=True))
    assert (batch.state, batch.failed_count) == (Batch.State.COMPLETED, 0)
    assert states <= {"DONE", "SKIPPED"}
    row.refresh_from_db()
    assert row.image is not None
    assert (row.image.width, row.image.height) == (1920, 1080)
    assert row.image.original.sha256 == sha256(make_frame())
    document = Document.objects.get(collection__namespace=namespace, object=row)
    assert document.slug == "frame_001"
    found = Detection.objects.filter(document=document).order_by("ordinal")
    assert [one.ordinal for one in found[:6]] == [0, 1, 2, 3, 4, 5]
    confidences = [one.confidence for one in found]
    assert confidences == sorted(confidences, reverse=True)
    assert all(confidence >= 0.25 for confidence in confidences)
    status, shown = ask(place, "documents/doc_frame_001_det_5")
    assert (status, shown["document_id"]) == (200, "doc_frame_001_det_5")


def ask(place: Place, path: str) -> tuple[int, Any]:
    """A call of the test's own, by the same curl."""
    (call,) = place.bash(
        f'curl -s "$MP_API_URL/v1/namespaces/$NS_ID/{path}" -H "Authorization: Bearer $MP_API_KEY"'
    )
    return call.status, call.json


# ---- section 3


def check_retriever(place: Place) -> None:
    # The collection's review queue has one of its own.
    row = Retriever.objects.get(namespace=namespace_of(place), public_id="ret_detection_review")
    assert row.name == "detection_review"
    (stage,) = row.stages
    assert stage["config"]["stage_id"] == "feature_search"
    assert stage["config"]["parameters"]["filters"]["AND"][0]["operator"] == "lt"


def check_execution(place: Place) -> None:
    """With an empty query the retriever only filters; its filter looks at the surest box, which is sure here."""
    place.python("ran = mp.retrievers.execute(retriever.retriever_id, inputs={'query': ''})")
    assert place.value("[ran.status, len(ran.documents)]") == ["completed", 0]
    kept = Execution.objects.get(public_id=place.value("ran.execution_id"))
    assert (kept.retriever.public_id, kept.result_count) == ("ret_detection_review", 0)
    document = Document.objects.get(collection__namespace=namespace_of(place))
    assert (document.top_confidence or 0) >= 0.7
    # With a text, it says that these vectors have no side for text.
    place.python(
        "from mixcv.client import ApiError\n"
        "try:\n    mp.retrievers.execute(retriever.retriever_id, inputs={'query': 'a van'})\n"
        "except ApiError as error:\n    refused = [error.status, error.message]"
    )
    status, message = place.value("refused")
    assert status == 422
    assert "text" in message


# ---- section 4


def check_annotated(place: Place, page: Sections, *, version: int) -> None:
    """The page's three decisions about the frame, and what they make true."""
    rows = {row.label: row for row in Annotation.objects.filter(namespace=namespace_of(place))}
    asked = bodies_in(page.of(4, "bash")[0])
    assert (
        sorted(rows) == sorted(one["label"] for one in asked) == ["confirmed", "corrected", "false_positive"]
    )
    for one in asked:
        row = rows[one["label"]]
        assert row.detection is not None
        assert one["document_id"] == f"doc_frame_001_det_{row.detection.ordinal}"
        assert row.detection.decided_label == row.label
        assert row.collection is not None
        assert row.collection.public_id == one["collection_id"] == IDS["COLLECTION_ID"]
        assert (row.version, row.versions.count()) == (version, version)
        assert (row.retriever_ref, row.execution_ref) == (one["retriever_id"], one["execution_id"])
        assert (row.confidence, row.reasoning) == (one.get("confidence"), one.get("reasoning", ""))
        assert row.payload == one.get("payload", {})
        assert row.actor_type == "api_key"
        assert row.deleted_at is None
    truth = {box.detection_id: box for box in GroundTruthBox.objects.filter(state="active")}
    assert rows["false_positive"].detection_id not in truth
    for label in ("corrected", "confirmed"):
        row, box = rows[label], truth[rows[label].detection_id]
        assert box.evidence == row.public_id
        assert box.object_class.name == row.payload["true_class"]
        assert (box.cx, box.cy, box.w, box.h) == tuple(row.payload["bbox"][side] for side in "xywh")


def bulk(place: Place, page: Sections) -> None:
    """Its documents do not exist, and each operation says so of its own."""
    block = page.of(4, "bash")[1]
    before = Annotation.objects.count()
    (call,) = place.bash(block)
    assert (call.status, call.json["failed"], call.json["succeeded"]) == (200, 3, 0)
    for asked, result in zip(bodies_in(block)[-1]["create"], call.json["results"], strict=True):
        assert (result["operation"], result["success"], result["code"]) == ("create", False, "not_found")
        assert asked["document_id"] in result["error"]
    assert Annotation.objects.count() == before


# ---- sections 5 and 6


def check_stats(place: Place, stats: dict[str, Any]) -> None:
    rows = Annotation.objects.filter(namespace=namespace_of(place), deleted_at=None)
    expected = {"confirmed": 1, "corrected": 1, "false_positive": 1, "missed": 0}
    assert stats["total"] == rows.count() == 3
    assert stats["by_label"] == expected
    assert {name: rows.filter(label=name).count() for name in expected} == expected


def check_export(place: Place) -> None:
    """The files that the page's script writes hold what the database holds."""
    folder = place.folder / "dataset"
    names = (folder / "classes.txt").read_text().split()
    rows = Annotation.objects.filter(namespace=namespace_of(place), label__in=["confirmed", "corrected"])
    assert sorted(names) == sorted(row.payload["true_class"] for row in rows)
    expected = {}
    for row in rows:
        box = row.payload["bbox"]
        numbers = (box["x"] / 1920, box["y"] / 1080, box["w"] / 1920, box["h"] / 1080)
        index = names.index(row.payload["true_class"])
        assert row.detection is not None
        line = " ".join([str(index), *(f"{number:.6f}" for number in numbers)])
        expected[f"doc_frame_001_det_{row.detection.ordinal}.txt"] = f"{line}\n"
    assert {path.name: path.read_text() for path in (folder / "labels").iterdir()} == expected


# ---- section 7


def register(place: Place, page: Sections) -> None:
    """The weights that a fine-tune would leave, packed and sent as the page says."""
    weights = place.folder / "runs" / "detect" / "yolo_v2_finetuned" / "weights"
    weights.mkdir(parents=True)
    shutil.copyfile(WEIGHTS, weights / "best.pt")
    block = next(text for text in page.of(7, "bash") if "/models" in text)
    sent, deployed = place.bash(block)
    assert statuses([sent, deployed]) == [("POST", "models", 200), ("POST", "deploy", 200)]
    assert sent.json["model_id"] == deployed.json["model_id"] == "yolo-detector_2_0_0"
    namespace = namespace_of(place)
    model = RegistryModel.objects.get(namespace=namespace)
    assert (model.name, model.version, model.model_format, model.task_type) == (
        "yolo-detector",
        "2.0.0",
        "pytorch",
        "detection",
    )
    archive = place.folder / "yolo_v2_weights.tar.gz"
    assert model.archive.sha256 == sha256(archive.read_bytes())
    with tarfile.open(archive) as members:
        assert any(name.endswith("best.pt") for name in members.getnames())

    def over() -> bool:
        model.refresh_from_db()
        return model.state in {RegistryModel.State.DEPLOYED, RegistryModel.State.FAILED}

    wait_until(over, seconds=60, what="the model's deployment")
    assert (model.state, model.error) == (RegistryModel.State.DEPLOYED, "")
    folder = models_folder(namespace.pk) / model.public_id
    (best,) = Path(folder).resolve().rglob("best.pt")
    assert best.read_bytes() == WEIGHTS.read_bytes()
    assert str(best).startswith(str(settings.MIXCV_HOME))


def second_version(place: Place, page: Sections) -> None:
    """Version 2.0.0 comes up beside 1.0.0."""
    manifest = place.folder / "yolo_detector" / "manifest.py"
    text = manifest.read_text(encoding="utf-8")
    assert text.count('version = "1.0.0"') == 1
    manifest.write_text(text.replace('version = "1.0.0"', 'version = "2.0.0"'), encoding="utf-8")
    block = next(text for text in page.of(7, "bash") if "/plugins" in text)
    check_deployed(place, place.bash(block), "yolo_detector_v2.zip", "2.0.0")
    versions = ExtractorVersion.objects.filter(extractor__namespace=namespace_of(place))
    assert {row.version: row.state for row in versions} == {"1.0.0": "ready", "2.0.0": "ready"}
