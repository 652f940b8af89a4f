"""`/v1/annotations/stats`."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.runs.domain import get_collection
from mixcv.kernel.operations import operation
from mixcv.tenancy.api_auth import NamespacedView
from review.quality.queries import GROUPS, INTERVALS, METADATA, Asked, Counted, stats
from review.quality.rates import (
    METRICS,
    Health,
    approved_in,
    health_of,
    rates_of,
    rejected_in,
    verdicts_in,
)
from review.verdicts.models import Source
from review.verdicts.queries import document_filter

_PATH = re.compile(r"metadata(\.[^.\x00]{1,100}){1,5}")


class StatsQuery(serializers.Serializer[Any]):
    """group_by: class, extractor_version, label, source, retriever, reviewer, or metadata.<field> of the document.
    created_after is inclusive, created_before is not. Intervals are in UTC, weeks begin on Monday."""

    document_id = serializers.CharField(max_length=300, required=False)
    collection_id = serializers.CharField(max_length=120, required=False)
    label = serializers.CharField(max_length=100, required=False)  # type: ignore[assignment]
    source = serializers.ChoiceField(choices=Source.values, required=False)  # type: ignore[assignment]
    actor_id = serializers.CharField(max_length=200, required=False)
    retriever_id = serializers.CharField(max_length=200, required=False)
    created_after = serializers.DateTimeField(required=False)
    created_before = serializers.DateTimeField(required=False)
    interval = serializers.ChoiceField(choices=INTERVALS, required=False)
    group_by = serializers.CharField(max_length=520, required=False)

    def validate_group_by(self, value: str) -> str:
        if value not in GROUPS and not _PATH.fullmatch(value):
            raise serializers.ValidationError(
                f"There is no grouping by {value[:100]!r}. Allowed: {', '.join(GROUPS)}, {METADATA}<field>."
            )
        return value


class RateAnswer(serializers.Serializer[Any]):
    """`count` of `of` verdicts; `rate` with its 95 % interval (Wilson), 0 to 1; null where there is no verdict."""

    count = serializers.IntegerField()
    of = serializers.IntegerField()
    rate = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class RatesAnswer(serializers.Serializer[Any]):
    """The share of each of the four verdicts among them; labels of the vocabulary do not count here."""

    confirmed = RateAnswer()
    corrected = RateAnswer()
    false_positive = RateAnswer()
    missed = RateAnswer()


class CountAnswer(serializers.Serializer[Any]):
    """approved: boxes that stood as they were shown; rejected: corrected and false_positive."""

    total = serializers.IntegerField()
    by_label = serializers.DictField(child=serializers.IntegerField())
    verdicts = serializers.IntegerField()
    approved = serializers.IntegerField()
    rejected = serializers.IntegerField()
    rates = RatesAnswer()


class IntervalAnswer(CountAnswer):
    start = serializers.DateTimeField()


class GroupAnswer(CountAnswer):
    """`key` is null for annotations that have none (no retriever, no such field)."""

    key = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    series = IntervalAnswer(many=True)


class HealthAnswer(serializers.Serializer[Any]):
    """A rate against its healthy band. `margin`: how far inside, negative outside; `certain`: the whole interval is."""

    metric = serializers.ChoiceField(choices=METRICS)
    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    threshold = serializers.FloatField()
    healthy_when = serializers.ChoiceField(choices=["above", "below"])
    status = serializers.ChoiceField(choices=["healthy", "action_needed", "no_data"])
    margin = serializers.FloatField(allow_null=True)
    certain = serializers.BooleanField()
    advice = serializers.CharField()


class StatsAnswer(CountAnswer):
    """`groups`: the largest first, at most 500 of `group_count`."""

    health = HealthAnswer(many=True)
    interval = serializers.CharField(allow_null=True)
    series = IntervalAnswer(many=True)
    group_by = serializers.CharField(allow_null=True)
    groups = GroupAnswer(many=True)
    group_count = serializers.IntegerField()


class AnnotationStats(NamespacedView):
    tag = "Annotations"

    @operation(
        "annotation_stats",
        "How many annotations there are by label, with rates, their intervals and what they say of the detector; "
        "over time and by class, version, retriever, reviewer or a field of metadata.",
        query=StatsQuery,
        answer=StatsAnswer,
    )
    def get(self, request: Request) -> Response:
        asked = self.query
        collection = get_collection(self.namespace, ref).pk if (ref := asked.get("collection_id")) else None
        places = {}
        if ref := asked.get("document_id"):
            found = document_filter(self.namespace, ref, asked.get("collection_id"))
            places = {name: row.pk for name, row in found.items()}
        counted = stats(
            self.namespace,
            Asked(
                collection=collection,
                label=asked.get("label"),
                source=asked.get("source"),
                actor=asked.get("actor_id"),
                retriever=asked.get("retriever_id"),
                after=asked.get("created_after"),
                before=asked.get("created_before"),
                interval=asked.get("interval"),
                group_by=asked.get("group_by"),
                **places,
            ),
        )
        return Response(
            {
                **_counts(counted.all),
                "health": [_health(one) for one in health_of(counted.all.by_label)],
                "interval": asked.get("interval"),
                "series": [_interval(one) for one in counted.series],
                "group_by": asked.get("group_by"),
                "groups": [
                    {
                        **_counts(one),
                        "key": one.key,
                        "name": one.name,
                        "series": [_interval(cell) for cell in one.series],
                    }
                    for one in counted.groups
                ],
                "group_count": counted.group_count,
            }
        )


def _counts(one: Counted) -> dict[str, Any]:
    rates = {}
    for name, rate in rates_of(one.by_label).items():
        rates[name] = asdict(rate)
        rates[name]["rate"] = rates[name].pop("value")
    return {
        "total": one.total,
        "by_label": dict.fromkeys(METRICS, 0) | dict(sorted(one.by_label.items())),
        "verdicts": verdicts_in(one.by_label),
        "approved": approved_in(one.by_label),
        "rejected": rejected_in(one.by_label),
        "rates": rates,
    }


def _interval(one: Counted) -> dict[str, Any]:
    return {**_counts(one), "start": one.start}


def _health(one: Health) -> dict[str, Any]:
    return {
        "metric": one.band.metric,
        "value": one.rate.value,
        "low": one.rate.low,
        "high": one.rate.high,
        "threshold": one.band.threshold,
        "healthy_when": "above" if one.band.healthy_above else "below",
        "status": one.status,
        "margin": one.margin,
        "certain": one.certain,
        "advice": one.advice,
    }
