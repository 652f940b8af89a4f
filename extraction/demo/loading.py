"""Puts the demo into a namespace: buckets, images, detectors, collections. Run again, it adds what is missing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from extraction.demo.scenes import DEMO_COUNT, street_photographs, write_demo_scenes
from extraction.intake.domain import Incoming, add_objects, create_bucket
from extraction.intake.models import Bucket
from extraction.packages.builtin import SHIPPED_WEIGHTS
from extraction.packages.domain import deploy, register_version
from extraction.packages.models import ExtractorVersion
from extraction.runs.domain import create_batch, create_collection, submit_batch
from extraction.runs.models import Collection
from mixcv.kernel.errors import Unavailable
from mixcv.tenancy.actors import SYSTEM
from mixcv.tenancy.domain import ensure_namespace
from mixcv.tenancy.models import Namespace

NAMESPACE = "demo"
STREET_WEIGHTS = "yolov8n.pt"
_PART = 40

Report = Callable[[str, int, int], None]


class DeploymentFailed(Unavailable):
    """A detector of the demo did not come up."""

    code = "deployment_failed"


@dataclass(frozen=True)
class Demo:
    """What the demo consists of."""

    namespace: Namespace
    digits: Collection
    street: Collection


def load_demo(*, report: Report) -> Demo:
    """Make what is missing of the demo. `report(step, done, total)` is told of whatever takes long.

    Detection itself runs in the workers, from automatic batches; `street` waits for its weights where no hub answers.
    """
    namespace = ensure_namespace(name=NAMESPACE)
    digits = _collection(
        namespace,
        collection="digits",
        bucket=_bucket(
            namespace, "digit_scenes", "Scenes of real handwritten digits, by desk", split_key="camera_id"
        ),
        version=_version(
            namespace, "digits", weights=SHIPPED_WEIGHTS / "digits.pt", parameters={"image_size": 256}
        ),
    )
    wanted = settings.MIXCV_DETECTOR or STREET_WEIGHTS
    street = _collection(
        namespace,
        collection="street",
        bucket=_bucket(namespace, "street", "Two street photographs"),
        version=_version(namespace, "street", weights_name=wanted),
    )
    _add_scenes(digits.buckets.get(), report)
    _add_street(street.buckets.get())
    return Demo(namespace, digits, street)


def _bucket(namespace: Namespace, name: str, description: str, split_key: str = "") -> Bucket:
    found = Bucket.objects.filter(namespace=namespace, name=name).first()
    schema = {
        "properties": {
            "image": {"type": "image", "required": True},
            "camera_id": {"type": "text"},
            "timestamp": {"type": "text"},
        }
    }
    return found or create_bucket(
        namespace=namespace, name=name, description=description, schema=schema, split_key=split_key, by=SYSTEM
    )


def _version(
    namespace: Namespace,
    extractor: str,
    *,
    weights: Path | None = None,
    weights_name: str = "",
    parameters: dict[str, object] | None = None,
) -> ExtractorVersion:
    """The newest version of the demo's detector; another choice of weights makes the next one."""
    rows = ExtractorVersion.objects.filter(extractor__namespace=namespace, extractor__name=extractor)
    name = weights_name or (weights.name if weights else "")
    found = rows.filter(weights_name=name).order_by("-pk").first()
    if found is None:
        found = register_version(
            namespace=namespace,
            extractor=extractor,
            version=f"1.{rows.count()}.0",
            weights_path=weights,
            weights_name=weights_name,
            parameters=parameters,
        )
    if found.state in {ExtractorVersion.State.REGISTERED, ExtractorVersion.State.FAILED}:
        deploy(version=found)
    return found


def _collection(
    namespace: Namespace, *, collection: str, bucket: Bucket, version: ExtractorVersion
) -> Collection:
    """A collection is of one version for ever: a second version gets a second collection over the same bucket."""
    found = Collection.objects.filter(namespace=namespace, extractor_version=version, buckets=bucket).first()
    if found:
        return found
    taken = Collection.objects.filter(namespace=namespace, name=collection).exists()
    name = f"{collection}_{version.version}" if taken else collection
    made = create_collection(namespace=namespace, name=name, version=version, buckets=[bucket])
    if bucket.object_count:
        # New objects are detected by themselves; those that are there already want a batch.
        submit_batch(
            batch=create_batch(bucket=bucket, collections=[made], name=f"{bucket.name} with {version}")
        )
    return made


def _add_scenes(bucket: Bucket, report: Report) -> None:
    if bucket.object_count >= DEMO_COUNT:
        return
    with tempfile.TemporaryDirectory() as folder:
        report("writing scenes of digits", 0, DEMO_COUNT)
        scenes = write_demo_scenes(Path(folder))
        for start in range(0, len(scenes), _PART):
            add_objects(
                bucket=bucket,
                incoming=[
                    Incoming(
                        name=scene.path.name,
                        data=scene.path.read_bytes(),
                        metadata=scene.metadata,
                        split="holdout" if scene.split == "holdout" else "train",
                    )
                    for scene in scenes[start : start + _PART]
                ],
                by=SYSTEM,
                skip_duplicates=True,
            )
            report("writing scenes of digits", min(start + _PART, len(scenes)), len(scenes))


def _add_street(bucket: Bucket) -> None:
    if bucket.object_count:
        return
    photographs = street_photographs()
    add_objects(
        bucket=bucket,
        incoming=[Incoming(name=path.name, data=path.read_bytes()) for path in photographs],
        by=SYSTEM,
        skip_duplicates=True,
    )
