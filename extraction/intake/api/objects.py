"""`/v1/buckets/{bucket}/objects`."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.intake import bodies, presenters
from extraction.intake.api.answers import ObjectAnswer, ObjectBatchAnswer
from extraction.intake.domain import Incoming, Outcome, add_objects, delete_objects, update_object
from extraction.intake.models import Bucket, Object
from extraction.intake.queries import get_bucket, objects_of
from extraction.intake.uploads import add_files
from mixcv.kernel.answers import DeletedAnswer
from mixcv.kernel.errors import DomainError, InvalidInput, NotFound
from mixcv.kernel.listing import ListBody, Listing, page_answer
from mixcv.kernel.operations import operation
from mixcv.kernel.serializers import StrictSerializer
from mixcv.tenancy.api_auth import NamespacedView

OBJECTS = Listing(
    columns={
        "object_id": "public_id",
        "key": "key",
        "status": "state",
        "error": "error",
        "width": "image__width",
        "height": "image__height",
        "split": "image__split",
        "created_at": "created_at",
        "updated_at": "updated_at",
    },
    free={"metadata": "metadata"},
    words={"status": {"COMPLETED": "READY"}},
    search=("key",),
    order="-created_at",
    total_name=None,
)
OBJECT_PAGE = page_answer(ObjectAnswer, None)
EXAMPLE = {
    "metadata": {"camera_id": "cam_lobby_01"},
    "blobs": [{"property": "image", "type": "image", "data": {"url": "https://example.org/frame_001.jpg"}}],
}
ANSWER_EXAMPLE = {
    "object_id": "obj_0abc",
    "bucket_id": "bkt_security_footage",
    "key": "frame_001.jpg",
    "status": "PENDING",
    "metadata": {"camera_id": "cam_lobby_01"},
}


class ObjectBody(serializers.Serializer[Any]):
    """One image with its metadata. The bucket's own fields may stand at the root, too."""

    blobs = serializers.ListField(child=serializers.DictField())
    metadata = serializers.DictField(required=False)
    key_prefix = serializers.CharField(required=False)
    skip_duplicates = serializers.BooleanField(required=False)
    idempotency_key = serializers.CharField(required=False)


class ObjectForm(serializers.Serializer[Any]):
    file = serializers.FileField(required=False)
    files = serializers.ListField(child=serializers.FileField(), required=False)
    metadata = serializers.CharField(required=False, help_text="a JSON object as text")
    key_prefix = serializers.CharField(required=False)
    property = serializers.CharField(required=False)
    skip_duplicates = serializers.BooleanField(required=False)
    idempotency_key = serializers.CharField(required=False)


class ObjectBatchBody(serializers.Serializer[Any]):
    objects = ObjectBody(many=True)
    skip_duplicates = serializers.BooleanField(required=False)


class ObjectListBody(ListBody):
    select = serializers.ListField(child=serializers.CharField(), required=False)
    return_presigned_urls = serializers.BooleanField(required=False)


class PolicyQuery(serializers.Serializer[Any]):
    policy = serializers.ChoiceField(choices=Bucket.Policy.values, required=False)


class ObjectChange(StrictSerializer):
    metadata = serializers.DictField(required=False)
    key_prefix = serializers.CharField(required=False, allow_blank=True, max_length=400)
    tolerated = frozenset({"skip_duplicates"})


class Objects(NamespacedView):
    """POST takes JSON (`metadata`, `blobs`), or multipart with one `file` or several `files`."""

    tag = "Objects"

    @operation(
        "list_objects",
        "A bucket's objects, newest first.",
        listing=OBJECTS,
        answer=OBJECT_PAGE,
        answer_example={"results": [ANSWER_EXAMPLE], "pagination": {"page": 1}},
    )
    def get(self, request: Request, bucket_ref: str) -> Response:
        return Response(self.page(request, get_bucket(self.namespace, bucket_ref)))

    @operation(
        "create_object",
        "Put an image into a bucket: by an address that is fetched afterwards, as base64, or as a file. "
        "Several files answer an outcome each.",
        multipart=ObjectForm,
        query=PolicyQuery,
        answer=ObjectAnswer,
        creates=True,
        example=EXAMPLE,
        answer_example=ANSWER_EXAMPLE,
        documented_body=ObjectBody,
    )
    def post(self, request: Request, bucket_ref: str) -> Response:
        bucket = get_bucket(self.namespace, bucket_ref)
        if (request.content_type or "").startswith("multipart/"):
            return self._files(request, bucket)
        body = bodies.json_object(request.data)
        incoming = bodies.object_body(body, bucket)
        skip = bodies.flag(body.get("skip_duplicates", False), "skip_duplicates")
        outcomes = add_objects(
            bucket=bucket,
            incoming=[incoming],
            by=self.actor,
            skip_duplicates=skip,
            policy=self.query.get("policy", ""),
        )
        return _one(outcomes[0], bucket)

    def _files(self, request: Request, bucket: Bucket) -> Response:
        if unknown := sorted(set(request.FILES) - {"file", "files"}):
            raise bodies.UnknownKey(
                f"{unknown[0]!r} is no file field here. Allowed: file, files.", field=unknown[0]
            )
        files: list[UploadedFile[Any]] = [*request.FILES.getlist("file"), *request.FILES.getlist("files")]
        if not files:
            raise InvalidInput(
                "There is no file in the body. Send it as the field 'file' or 'files'.", field="file"
            )
        texts = {key: value for key, value in request.POST.items() if isinstance(value, str)}
        metadata, prefix, name, skip = bodies.form_fields(texts)
        known_as = bodies.idempotency_key(texts.get("idempotency_key"))
        if known_as and len(files) > 1:
            raise InvalidInput(
                "An idempotency_key names one object; send several files in calls of their own.",
                field="idempotency_key",
            )
        outcomes = add_files(
            bucket=bucket,
            files=files,
            by=self.actor,
            metadata=metadata,
            prefix=prefix,
            property_name=name,
            skip_duplicates=skip,
            policy=self.query.get("policy", ""),
            idempotency_key=known_as,
        )
        return (
            _one(outcomes[0], bucket) if len(files) == 1 else Response(presenters.outcomes(outcomes, bucket))
        )

    def page(self, request: Request, bucket: Bucket) -> dict[str, Any]:
        rows = Object.objects.filter(bucket=bucket).select_related("image__original")
        return OBJECTS.page(rows, lambda row: presenters.object_(row, bucket), request, self.data)


class ObjectList(Objects):
    http_method_names = ["post", "options"]

    @operation(
        "search_objects",
        "A bucket's objects, by filters, search and sort.",
        body=ObjectListBody,
        body_optional=True,
        listing=OBJECTS,
        answer=OBJECT_PAGE,
        scope="read",
        example={"filters": {"field": "metadata.camera_id", "operator": "eq", "value": "cam_lobby_01"}},
    )
    def post(self, request: Request, bucket_ref: str) -> Response:
        return Response(self.page(request, get_bucket(self.namespace, bucket_ref)))


class ObjectBatch(NamespacedView):
    """Several objects in one request; each has its own outcome."""

    tag = "Objects"

    @operation(
        "create_objects",
        "Put up to 1,000 images into a bucket; each has its own outcome.",
        documented_body=ObjectBatchBody,
        query=PolicyQuery,
        answer=ObjectBatchAnswer,
        creates=True,
        example={"objects": [EXAMPLE]},
    )
    def post(self, request: Request, bucket_ref: str) -> Response:
        bucket = get_bucket(self.namespace, bucket_ref)
        body = bodies.json_object(request.data)
        bodies.only(body, ("objects", "skip_duplicates"))
        wanted = body.get("objects")
        if not isinstance(wanted, list) or not 1 <= len(wanted) <= bodies.MOST_OBJECTS:
            raise InvalidInput(
                f"objects must be a list of 1 to {bodies.MOST_OBJECTS:,} objects.", field="objects"
            )
        skip = bodies.flag(body.get("skip_duplicates", False), "skip_duplicates")
        read = [_read(one, bucket, f"objects.{number}.") for number, one in enumerate(wanted)]
        good = [item for item in read if isinstance(item, Incoming)]
        policy = self.query.get("policy", "")
        done = iter(
            add_objects(bucket=bucket, incoming=good, by=self.actor, skip_duplicates=skip, policy=policy)
        )
        outcomes = [
            next(done) if isinstance(item, Incoming) else Outcome(f"objects.{number}", "error", error=item)
            for number, item in enumerate(read)
        ]
        return Response(presenters.outcomes(outcomes, bucket))


class OneObject(NamespacedView):
    tag = "Objects"

    @operation("get_object", "An object.", answer=ObjectAnswer, answer_example=ANSWER_EXAMPLE)
    def get(self, request: Request, bucket_ref: str, object_ref: str) -> Response:
        bucket, row = self._find(bucket_ref, object_ref)
        return Response(presenters.object_(row, bucket))

    @operation(
        "update_object",
        "Change an object's metadata (the keys sent) or the folder of its key.",
        body=ObjectChange,
        answer=ObjectAnswer,
        example={"metadata": {"camera_id": "cam_yard_02"}},
    )
    def patch(self, request: Request, bucket_ref: str, object_ref: str) -> Response:
        return self._change(bucket_ref, object_ref, replace=False)

    @operation(
        "replace_object",
        "Change an object's metadata as a whole.",
        body=ObjectChange,
        answer=ObjectAnswer,
        example={"metadata": {"camera_id": "cam_yard_02"}},
    )
    def put(self, request: Request, bucket_ref: str, object_ref: str) -> Response:
        return self._change(bucket_ref, object_ref, replace=True)

    @operation(
        "delete_object",
        "Delete an object with what detectors found in it. Refused once people decided about it.",
        answer=DeletedAnswer,
        answer_example={"success": True, "message": "obj_0abc is deleted."},
    )
    def delete(self, request: Request, bucket_ref: str, object_ref: str) -> Response:
        bucket, row = self._find(bucket_ref, object_ref)
        delete_objects(bucket=bucket, rows=[row], by=self.actor)
        return Response({"success": True, "message": f"{row.public_id} is deleted."})

    def _change(self, bucket_ref: str, object_ref: str, *, replace: bool) -> Response:
        bucket, row = self._find(bucket_ref, object_ref)
        row = update_object(
            row=row,
            metadata=self.data.get("metadata"),
            prefix=self.data.get("key_prefix"),
            whole=replace,
            by=self.actor,
        )
        return Response(presenters.object_(row, bucket))

    def _find(self, bucket_ref: str, object_ref: str) -> tuple[Bucket, Object]:
        bucket = get_bucket(self.namespace, bucket_ref)
        row = objects_of(bucket).filter(public_id=object_ref.replace("\x00", "?")).first()
        if row is None:
            raise NotFound(f"There is no object {object_ref[:100]!r} in {bucket.name}.", field="object_id")
        return bucket, row


def _read(one: Any, bucket: Bucket, place: str) -> Incoming | DomainError:
    try:
        return bodies.object_body(bodies.json_object(one), bucket, place=place)
    except DomainError as error:
        return error


def _one(outcome: Outcome, bucket: Bucket) -> Response:
    if outcome.error is not None:
        raise outcome.error
    assert outcome.object is not None
    shown = presenters.object_(outcome.object, bucket)
    return Response(shown | {"replayed": True} if outcome.status == "duplicate" else shown)
