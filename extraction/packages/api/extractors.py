"""`/v1/extractors`: what a collection may run, built in or sent."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.packages import presenters
from extraction.packages.api import answers, bodies
from extraction.packages.api.plugins import PLUGIN_ID, PLUGINS, renamed
from extraction.packages.models import ExtractorVersion
from extraction.packages.queries import get_version, versions_of
from mixcv.kernel.operations import operation
from mixcv.tenancy.api_auth import NamespacedView

EXTRACTORS_ANSWER = answers.list_answer(
    "ExtractorList",
    "extractors",
    answers.ExtractorAnswer,
    builtin_count=serializers.IntegerField(),
    custom_count=serializers.IntegerField(),
)


class Extractors(NamespacedView):
    tag = "Extractors"

    @operation(
        "list_extractors",
        "What a collection may run: every extractor's versions, built in or sent.",
        query=bodies.ExtractorQuery,
        listing=PLUGINS,
        answer=EXTRACTORS_ANSWER,
        answer_example={"extractors": [], "total": 0, "builtin_count": 0, "custom_count": 0},
    )
    def get(self, request: Request) -> Response:
        return Response(self.page(request, self.query, {}))

    def page(self, request: Request, wanted: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        rows = versions_of(self.namespace)
        if not wanted.get("include_disabled"):
            rows = rows.exclude(state=ExtractorVersion.State.RETIRED)
        custom = rows.filter(archive__isnull=False).count()
        counts = {"builtin_count": rows.count() - custom, "custom_count": custom}
        if wanted.get("source"):
            rows = rows.filter(archive__isnull=wanted["source"] == "builtin")
        body = PLUGINS.page(rows, presenters.extractor, request, data)
        return {"namespace_id": self.namespace.public_id, **counts, **renamed(body, "extractors")}


class ExtractorList(Extractors):
    http_method_names = ["post", "options"]

    @operation(
        "search_extractors",
        "What a collection may run, by filters, search and sort.",
        body=bodies.ExtractorListBody,
        body_optional=True,
        listing=PLUGINS,
        answer=EXTRACTORS_ANSWER,
        scope="read",
        example={"source": "custom"},
    )
    def post(self, request: Request) -> Response:
        return Response(self.page(request, self.data, self.data))


class OneExtractor(NamespacedView):
    tag = "Extractors"

    @operation(
        "get_extractor",
        "One extractor's version.",
        answer=answers.ExtractorAnswer,
        answer_example={"feature_extractor_id": PLUGIN_ID, "source": "custom"},
    )
    def get(self, request: Request, extractor_id: str) -> Response:
        return Response(presenters.extractor(get_version(self.namespace, extractor_id)))


class FeatureExtractors(NamespacedView):
    tag = "Extractors"

    @operation(
        "list_feature_extractors",
        "What a collection's feature_extractor may name, as a plain list.",
        answer=answers.FeatureExtractorAnswer(many=True),
        answer_example=[],
    )
    def get(self, request: Request) -> Response:
        rows = versions_of(self.namespace).exclude(state=ExtractorVersion.State.RETIRED)[:1000]
        return Response([presenters.feature_extractor(row) for row in rows])


class OneFeatureExtractor(NamespacedView):
    tag = "Extractors"

    @operation(
        "get_feature_extractor",
        "One of those.",
        answer=answers.FeatureExtractorAnswer,
        answer_example={"feature_extractor_id": PLUGIN_ID},
    )
    def get(self, request: Request, extractor_id: str) -> Response:
        return Response(presenters.feature_extractor(get_version(self.namespace, extractor_id)))
