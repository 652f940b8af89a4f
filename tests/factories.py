"""Rows for tests, made by the verbs where there is one."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from django.db import transaction
from PIL import Image as Pillow

from extraction.classes.domain import ensure_classes
from extraction.intake.domain import Incoming, add_objects, create_bucket
from extraction.intake.models import Bucket, Object
from extraction.packages.domain import CROP_EMBEDDING, register_version
from extraction.packages.host.spec import Detection as Found
from extraction.packages.host.spec import ImageResult
from extraction.packages.models import ExtractorVersion, Feature, VectorSpace
from extraction.runs import domain as runs
from extraction.runs.models import Batch, Collection, Detection, Document
from mixcv.tenancy.actors import SYSTEM
from mixcv.tenancy.domain import create_api_key, ensure_namespace
from mixcv.tenancy.models import Membership, Namespace, Role, User
from review.queues.models import Queue

_numbers = itertools.count(1)
CLASSES = ["bus", "person", "truck"]


def make_namespace(name: str = "demo") -> Namespace:
    return ensure_namespace(name=name)


def make_key(namespace: Namespace, **kwargs: Any) -> str:
    return create_api_key(namespace=namespace, **kwargs)[1]


def make_user(
    namespace: Namespace | None = None,
    *,
    name: str = "",
    role: Role = Role.REVIEWER,
    password: str = "correct horse",
) -> User:
    user = User.objects.create_user(name or f"person{next(_numbers)}", password=password)
    if namespace:
        Membership.objects.create(namespace=namespace, user=user, role=role)
    return user


def picture(width: int = 320, height: int = 240, *, seed: int | None = None) -> bytes:
    """A JPEG of its own content, told apart by `seed`."""
    rng = np.random.default_rng(next(_numbers) if seed is None else seed)
    blocks = rng.integers(40, 215, (height // 20, width // 20, 3), dtype=np.uint8)
    out = io.BytesIO()
    Pillow.fromarray(blocks).resize((width, height), Pillow.Resampling.BICUBIC).save(out, "JPEG", quality=85)
    return out.getvalue()


def make_bucket(namespace: Namespace, name: str = "") -> Bucket:
    return create_bucket(namespace=namespace, name=name or f"bucket {next(_numbers)}", by=SYSTEM)


def make_objects(bucket: Bucket, count: int = 1, *, stem: str = "frame", **metadata: Any) -> list[Object]:
    numbers = [next(_numbers) for _ in range(count)]
    outcomes = add_objects(
        bucket=bucket,
        incoming=[
            Incoming(name=f"{stem}_{n:04d}.jpg", data=picture(seed=n), metadata=metadata) for n in numbers
        ],
        by=SYSTEM,
    )
    return [outcome.object for outcome in outcomes if outcome.object]


def make_version(
    namespace: Namespace, extractor: str = "detector", version: str = "1.0.0"
) -> ExtractorVersion:
    """A version as its deployment would leave it, without a host."""
    row = register_version(namespace=namespace, extractor=extractor, version=version)
    row.state = ExtractorVersion.State.READY
    row.class_names = CLASSES
    row.save()
    ensure_classes(namespace=namespace, names=CLASSES)
    space, _ = VectorSpace.objects.get_or_create(
        embedder="offline", version="1", weights_sha256="0" * 64, dimension=512, metric="cosine"
    )
    Feature.objects.create(
        extractor_version=row, name=CROP_EMBEDDING, kind=Feature.Kind.EMBEDDING, space=space
    )
    return row


def make_collection(
    bucket: Bucket, name: str = "", *, version: ExtractorVersion | None = None, enabled: bool = False
) -> Collection:
    return runs.create_collection(
        namespace=bucket.namespace,
        name=name or f"collection {next(_numbers)}",
        version=version or make_version(bucket.namespace, f"detector{next(_numbers)}"),
        buckets=[bucket],
        enabled=enabled,
    )


def found(
    class_name: str = "bus",
    confidence: float = 0.5,
    box: Sequence[float] = (100, 100, 60, 40),
    **scores: float,
) -> Found:
    x, y, w, h = box
    return Found(class_name, confidence, x, y, w, h, class_scores=scores or None)


def result(detections: Sequence[Found] = (), *, error: str | None = None) -> ImageResult:
    """What a host would answer for an image of 320 × 240 pixels."""
    rows = sorted(detections, key=lambda item: -item.confidence)
    vectors = np.random.default_rng(len(rows)).normal(size=(len(rows), 512))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) if len(rows) else 1
    return ImageResult(320, 240, list(rows), {}, vectors.astype(np.float16), error)


def detect(
    collection: Collection, objects: Sequence[Object], results: Sequence[ImageResult], *, dedup: str = "skip"
) -> Batch:
    """Run objects through a collection as a worker would, with these results in place of a host's."""
    # In one transaction: the session's real worker would else be told of the batch, and might be the first to claim.
    with transaction.atomic():
        batch = runs.create_batch(
            bucket=objects[0].bucket,
            collections=[collection],
            object_ids=[o.public_id for o in objects],
            dedup=dedup,
        )
        runs.submit_batch(batch=batch)
        items = runs.claim_items(collection_id=collection.pk, worker="test", limit=len(objects))
    by_object = dict(zip([o.pk for o in objects], results, strict=True))
    runs.write_chunk(
        collection=collection,
        worker="test",
        items=items,
        results=[by_object[item.object_id] for item in items],
    )
    runs.finish_if_done(batch)
    batch.refresh_from_db()
    return batch


DEFAULT = (
    found("bus", 0.43, (160, 120, 200, 120), bus=0.43, truck=0.39),
    found("person", 0.62, (60, 150, 40, 120), person=0.62),
    found("truck", 0.91, (260, 60, 80, 60), truck=0.91),
)


def make_detected(
    collection: Collection, count: int = 1, *, detections: Sequence[Found] = DEFAULT
) -> list[Document]:
    """`count` new images of the collection's bucket with these detections."""
    objects = make_objects(collection.buckets.get(), count)
    detect(collection, objects, [result(detections) for _ in objects])
    return list(Document.objects.filter(object__in=objects).order_by("pk"))


def detections_of(document: Document) -> list[Detection]:
    """Current ones by rank: the surest first."""
    return list(document.detections.filter(current=True).order_by("rank"))


def queue_of(collection: Collection) -> Queue:
    return Queue.objects.get(collection=collection)
