"""What the calls of retrievers take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from extraction.search.domain.running import DEEPEST_OFFSET
from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.listing import ListBody
from mixcv.kernel.serializers import StrictSerializer

MOST = 500
DEFAULT_LIMIT = 100
METHODS = ("offset", "cursor", "keyset", "scroll")

_KEPT_WITHOUT_EFFECT = frozenset(
    {"visibility", "marketplace_listing_id", "requires_subscription", "budget_limits", "display_config"}
)


def _refs() -> serializers.ListField:
    return serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, allow_null=True, max_length=1000
    )


class RetrieverFields(StrictSerializer):
    """What a retriever may be given, at its making and later."""

    retriever_name = serializers.CharField(required=False, max_length=100)
    name = serializers.CharField(required=False, max_length=100)
    description = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=10_000)
    collection_identifiers = _refs()
    collection_ids = _refs()
    stages = serializers.ListField(child=serializers.DictField(), required=False, max_length=100)
    input_schema = serializers.DictField(required=False, allow_null=True)
    unit = serializers.ChoiceField(choices=["document", "detection"], required=False, allow_null=True)
    metadata = serializers.DictField(required=False, allow_null=True)
    tags = serializers.ListField(
        child=serializers.CharField(max_length=100), required=False, allow_null=True, max_length=50
    )
    tolerated = _KEPT_WITHOUT_EFFECT

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        name = attrs.pop("name", None)
        if name is not None:
            attrs.setdefault("retriever_name", name)
        refs = attrs.pop("collection_ids", None)
        if refs is not None:
            attrs.setdefault("collection_identifiers", refs)
        return attrs


class RetrieverBody(RetrieverFields):
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        # A list without stages is sent: what it lacks is told with the stages that there are.
        missing = [name for name in ("retriever_name", "stages") if attrs.get(name) in (None, "")]
        if missing:
            raise serializers.ValidationError({name: ["This field is required."] for name in missing})
        return attrs


class CloneBody(RetrieverFields):
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if not attrs.get("retriever_name"):
            raise serializers.ValidationError({"retriever_name": ["This field is required."]})
        return attrs


class ExecuteBody(StrictSerializer):
    inputs = serializers.DictField(required=False, allow_null=True)
    input = serializers.DictField(required=False, allow_null=True)
    filters = serializers.JSONField(required=False, allow_null=True)
    pagination = serializers.DictField(required=False, allow_null=True)
    limit = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=MOST)
    offset = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=DEEPEST_OFFSET)
    return_vectors = serializers.BooleanField(required=False, default=False)
    tolerated = frozenset(
        {
            *("stream", "skip_cache", "return_presigned_urls", "explain", "settings", "expand"),
            *("write_token", "consistency", "target_collection_id", "include_legacy_results"),
        }
    )


class AdhocBody(ExecuteBody):
    stages = serializers.ListField(child=serializers.DictField(), max_length=100)
    collection_identifiers = _refs()
    collection_ids = _refs()
    input_schema = serializers.DictField(required=False, allow_null=True)
    unit = serializers.ChoiceField(choices=["document", "detection"], required=False, allow_null=True)
    tolerated = ExecuteBody.tolerated | {"budget_limits"}


class RunQuery(StrictSerializer):
    inputs = serializers.DictField(required=False, allow_null=True)
    filters = serializers.JSONField(required=False, allow_null=True)
    limit = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=MOST)
    tolerated = frozenset({"query_id", "pagination", "settings"})


class RunBatchBody(StrictSerializer):
    queries = serializers.ListField(child=RunQuery(), min_length=1, max_length=50)
    return_vectors = serializers.BooleanField(required=False, default=False)
    tolerated = frozenset({"settings", "concurrency", "return_presigned_urls", "stream"})


class ExplainBody(StrictSerializer):
    inputs = serializers.DictField(required=False, allow_null=True)


class ExecutionListBody(ListBody):
    status = serializers.CharField(required=False, allow_null=True, max_length=20)
    start_time = serializers.DateTimeField(required=False, allow_null=True)
    end_time = serializers.DateTimeField(required=False, allow_null=True)
    tolerated = frozenset({"count_only"})


class FeatureSearchBody(StrictSerializer):
    query = serializers.JSONField()
    feature_uri = serializers.CharField(required=False, allow_null=True, max_length=300)
    collection_identifiers = _refs()
    top_k = serializers.IntegerField(required=False, default=25, min_value=1, max_value=MOST)
    filters = serializers.JSONField(required=False, allow_null=True)
    unit = serializers.ChoiceField(choices=["document", "detection"], required=False, allow_null=True)
    return_vectors = serializers.BooleanField(required=False, default=False)


def paging(data: Mapping[str, Any]) -> tuple[int, int, Any]:
    """Limit, offset and cursor of a call, in any of the four forms. Raises InvalidInput."""
    raw = data.get("pagination") or {}
    method = raw.get("method", "offset")
    if method not in METHODS:
        raise InvalidInput(
            f"method is {str(method)[:40]!r}; it must be one of {', '.join(METHODS)}.",
            field="pagination.method",
        )
    limit = data.get("limit") or _number(raw, "limit", 1, MOST) or _number(raw, "page_size", 1, MOST)
    limit = limit or DEFAULT_LIMIT
    cursor = raw.get("cursor") or raw.get("next_cursor") or raw.get("scroll_id") or raw.get("after")
    if isinstance(cursor, Mapping):
        cursor = cursor.get("cursor") or cursor.get("next_cursor") or ""
    offset = data.get("offset")
    if offset is None:
        offset = _number(raw, "offset", 0, DEEPEST_OFFSET)
    if offset is None:
        page = _number(raw, "page_number", 1, DEEPEST_OFFSET) or _number(raw, "page", 1, DEEPEST_OFFSET) or 1
        offset = (page - 1) * limit
    if offset > DEEPEST_OFFSET:
        raise InvalidInput(
            f"The offset may be {DEEPEST_OFFSET:,} at most; use the cursor.", field="pagination"
        )
    return int(limit), int(offset), cursor


def _number(raw: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    value = raw.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidInput(
            f"{name} is {str(value)[:40]!r}; it must be {low} to {high:,}.", field=f"pagination.{name}"
        )
    return value
