"""`/v1/buckets` and the objects in them."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.intake import bodies, presenters
from extraction.intake.domain import Incoming, Outcome, add_objects, create_bucket
from extraction.intake.models import Bucket, Object
from extraction.intake.queries import buckets_of, get_bucket, objects_of
from extraction.intake.uploads import add_files
from mixcv.kernel.api import page_numbers, page_of
from mixcv.kernel.errors import DomainError, InvalidInput, NotFound
from mixcv.tenancy.api_auth import NamespacedView
from mixcv.tenancy.models import Scope

_PAGING = ("limit", "page_size", "offset", "page", "include_total", "search")


class ListView(NamespacedView):
    """What both lists share: paging and search, in the query of a GET or the body of a POST."""

    def asked(self, request: Request) -> tuple[str, dict[str, Any]]:
        body = bodies.json_object(request.data) if request.method == "POST" else {}
        bodies.only(body, _PAGING)
        query = request.query_params.dict()
        search = body.get("search", query.get("search", ""))
        if not isinstance(search, str):
            raise InvalidInput("search must be text.", field="search")
        limit, offset = page_numbers(body, query)
        wanted = body.get("include_total", query.get("include_total", False))
        return search, {
            "limit": limit,
            "offset": offset,
            "include_total": bodies.flag(wanted, "include_total"),
        }

    def buckets(self, request: Request) -> Response:
        search, paging = self.asked(request)
        rows = buckets_of(self.namespace, search).select_related("namespace")
        return Response(page_of(rows, presenters.bucket, **paging))

    def objects(self, request: Request, bucket: Bucket) -> Response:
        search, paging = self.asked(request)
        rows: QuerySet[Object] = objects_of(bucket, search)
        return Response(page_of(rows, lambda row: presenters.object_(row, bucket), **paging, total_name=None))


class Buckets(ListView):
    def get(self, request: Request) -> Response:
        return self.buckets(request)

    def post(self, request: Request) -> Response:
        body = bodies.json_object(request.data)
        bodies.only(body, bodies.BUCKET_KEYS)
        name = body.get("bucket_name", body.get("name"))
        if name is None:
            raise InvalidInput("bucket_name is missing.", field="bucket_name")
        bucket = create_bucket(
            namespace=self.namespace,
            name=name,
            schema=body.get("bucket_schema", body.get("schema")),
            description=body.get("description") or "",
            metadata=body.get("metadata"),
            split_key=body.get("split_key") or "",
            by=self.actor,
        )
        return Response(presenters.bucket(bucket))


class BucketList(ListView):
    scope = Scope.READ

    def post(self, request: Request) -> Response:
        return self.buckets(request)


class OneBucket(NamespacedView):
    def get(self, request: Request, bucket_ref: str) -> Response:
        return Response(presenters.bucket(get_bucket(self.namespace, bucket_ref)))


class Objects(ListView):
    """POST takes JSON (`metadata`, `blobs`), or multipart with one `file` or several `files`."""

    def get(self, request: Request, bucket_ref: str) -> Response:
        return self.objects(request, get_bucket(self.namespace, bucket_ref))

    def post(self, request: Request, bucket_ref: str) -> Response:
        bucket = get_bucket(self.namespace, bucket_ref)
        if (request.content_type or "").startswith("multipart/"):
            return self._files(request, bucket)
        body = bodies.json_object(request.data)
        incoming = bodies.object_body(body, bucket)
        skip = bodies.flag(body.get("skip_duplicates", False), "skip_duplicates")
        return _one(
            add_objects(bucket=bucket, incoming=[incoming], by=self.actor, skip_duplicates=skip)[0], bucket
        )

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
        outcomes = add_files(
            bucket=bucket,
            files=files,
            by=self.actor,
            metadata=metadata,
            prefix=prefix,
            property_name=name,
            skip_duplicates=skip,
        )
        return (
            _one(outcomes[0], bucket) if len(files) == 1 else Response(presenters.outcomes(outcomes, bucket))
        )


class ObjectList(ListView):
    scope = Scope.READ

    def post(self, request: Request, bucket_ref: str) -> Response:
        return self.objects(request, get_bucket(self.namespace, bucket_ref))


class ObjectBatch(NamespacedView):
    """Several objects in one request; each has its own outcome."""

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
        done = iter(add_objects(bucket=bucket, incoming=good, by=self.actor, skip_duplicates=skip))
        outcomes = [
            next(done) if isinstance(item, Incoming) else Outcome(f"objects.{number}", "error", error=item)
            for number, item in enumerate(read)
        ]
        return Response(presenters.outcomes(outcomes, bucket))


class OneObject(NamespacedView):
    def get(self, request: Request, bucket_ref: str, object_ref: str) -> Response:
        bucket = get_bucket(self.namespace, bucket_ref)
        row = objects_of(bucket).filter(public_id=object_ref.replace("\x00", "?")).first()
        if row is None:
            raise NotFound(f"There is no object {object_ref[:100]!r} in {bucket.name}.", field="object_id")
        return Response(presenters.object_(row, bucket))


def _read(one: Any, bucket: Bucket, place: str) -> Incoming | DomainError:
    try:
        return bodies.object_body(bodies.json_object(one), bucket, place=place)
    except DomainError as error:
        return error


def _one(outcome: Outcome, bucket: Bucket) -> Response:
    if outcome.error is not None:
        raise outcome.error
    assert outcome.object is not None
    return Response(presenters.object_(outcome.object, bucket))
