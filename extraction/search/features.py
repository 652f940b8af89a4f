"""Which feature a search names, and which collections have it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.db.models import Exists, OuterRef, Q, QuerySet

from extraction.packages.models import Feature
from extraction.runs.models import Collection, Embedding
from mixcv.kernel.errors import InvalidInput
from mixcv.tenancy.models import Namespace

_URI = re.compile(r"^(?:mixpeek|mixcv)://(?P<extractor>[^@/]+)@(?P<version>[^/]+)/(?P<name>[^/]+)$")
PRODUCTION = "production"


class UnknownFeature(InvalidInput):
    """No extractor here has this feature; the message names those there are."""

    code = "unknown_feature"


def embeddings_of(namespace: Namespace) -> QuerySet[Feature]:
    """The features that can be searched, with all that naming and searching one needs."""
    return (
        Feature.objects.filter(extractor_version__extractor__namespace=namespace, kind=Feature.Kind.EMBEDDING)
        .select_related("extractor_version__extractor", "space", "same_as__space")
        .order_by("extractor_version__extractor__name", "extractor_version_id", "pk")
    )


def find_feature(
    namespace: Namespace, uri: str | None, *, collections: Sequence[Collection] | None, place: str
) -> Feature:
    """The feature of a URI: by version, `@v1.0.0`, or `@production`. Without one, the only one of the collections.

    Raises UnknownFeature.
    """
    here = list(embeddings_of(namespace))
    if not uri:
        versions = {row.extractor_version_id for row in collections or []}
        fitting = [row for row in here if not collections or row.extractor_version_id in versions]
        spaces = {rows_of(row).pk for row in fitting}
        if len(spaces) == 1:
            return fitting[0]
        raise UnknownFeature(f"Say which feature_uri to search. {_known(here)}", field=place)
    match = _URI.match(uri)
    if match is None:
        raise UnknownFeature(
            f"{uri[:200]!r} is no feature URI. One reads mixpeek://extractor@1.0.0/feature. {_known(here)}",
            field=place,
        )
    for row in here:
        version, extractor = row.extractor_version, row.extractor_version.extractor
        if (extractor.name, row.name) != (match["extractor"], match["name"]):
            continue
        if match["version"] == PRODUCTION and extractor.production_id == version.pk:
            return row
        if match["version"].removeprefix("v") == version.version:
            return row
    raise UnknownFeature(f"There is no feature {uri[:200]!r} here. {_known(here)}", field=place)


def _known(features: Sequence[Feature]) -> str:
    names = ", ".join(row.uri for row in features[:50])
    return f"There are: {names}." if names else "No extractor here has one yet."


def rows_of(feature: Feature) -> Feature:
    """The feature under which the vectors are stored."""
    return feature.same_as or feature


def holders(namespace: Namespace, feature: Feature) -> Q:
    """The collections that have a feature: its version's, and those of entries that were put in directly."""
    stored = Embedding.objects.filter(feature=rows_of(feature), detection__collection=OuterRef("pk"))
    rows = Collection.objects.filter(namespace=namespace).filter(
        Q(extractor_version=feature.extractor_version_id) | Q(Exists(stored), extractor_version=None)
    )
    return Q(collection__in=rows)
