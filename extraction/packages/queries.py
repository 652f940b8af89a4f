"""Reads of the room that are used twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Count, F, Prefetch, Q, QuerySet

from extraction.packages.models import (
    Deployment,
    Extractor,
    ExtractorVersion,
    Feature,
    ModelUse,
    ProductionChange,
    RegistryModel,
)
from mixcv.kernel.errors import Conflict, NotFound
from mixcv.tenancy.models import Namespace

Row = TypeVar("Row", ExtractorVersion, RegistryModel)


class Ambiguous(Conflict):
    """A name alone fits several versions; the message names them."""

    code = "ambiguous_version"


def versions_of(namespace: Namespace) -> QuerySet[ExtractorVersion]:
    """All versions with what is shown of them, in a fixed number of queries."""
    features = Feature.objects.order_by("pk")
    return (
        ExtractorVersion.objects.filter(extractor__namespace=namespace)
        .select_related("extractor__namespace", "archive", "weights")
        .prefetch_related(Prefetch("features", queryset=features))
        .order_by("-created_at", "-pk")
    )


def extractors_of(namespace: Namespace) -> QuerySet[Extractor]:
    """Extractors by name, each with its versions, newest first."""
    versions = versions_of(namespace).annotate(collection_count=Count("collections"))
    return (
        Extractor.objects.filter(namespace=namespace, versions__isnull=False)
        .distinct()
        .prefetch_related(Prefetch("versions", queryset=versions))
    )


def get_version(namespace: Namespace, ref: str) -> ExtractorVersion:
    """By id, by `name@version` or `name@production`, or by the name of an extractor that has one version.

    Raises NotFound, Ambiguous.
    """
    rows = versions_of(namespace)
    serving = rows.filter(pk=F("extractor__production"))
    return _named(rows, ref, "extractor__name", what="extractor", field="plugin_id", serving=serving)


def models_of(namespace: Namespace) -> QuerySet[RegistryModel]:
    return (
        RegistryModel.objects.filter(namespace=namespace)
        .select_related("namespace", "archive")
        .order_by("-created_at", "-pk")
    )


def get_model(namespace: Namespace, ref: str) -> RegistryModel:
    """By id, by `name@version`, or by a name that has one version. Raises NotFound, Ambiguous."""
    return _named(models_of(namespace), ref, "name", what="model", field="model_id")


def _named(
    rows: QuerySet[Row], ref: str, name: str, *, what: str, field: str, serving: QuerySet[Row] | None = None
) -> Row:
    """The row of an id, of `name@version`, or of a name that one row has. `serving`: those named `@production`."""
    ref = ref.replace("\x00", "?")
    found = rows.filter(public_id=ref).first()
    before, at, version = ref.rpartition("@")
    if found is None and at:
        found = rows.filter(**{name: before}, version=version).first()
        if found is None and serving is not None and version == "production":
            found = serving.filter(**{name: before}).first()
    if found is not None:
        return found
    named = list(rows.filter(**{name: ref})[:20])
    if len(named) == 1:
        return named[0]
    if named:
        ids = ", ".join(row.public_id for row in named)
        raise Ambiguous(f"{ref} has several versions: {ids}. Name one by its id.", field=field)
    raise NotFound(f"There is no {what} {ref[:100]!r} here.", field=field)


def collections_using(version: ExtractorVersion) -> list[str]:
    """Ids of the collections of a version. They belong to a later room and are reached from the row."""
    return list(version.collections.order_by("public_id").values_list("public_id", flat=True))


def versions_using(model: RegistryModel) -> list[ExtractorVersion]:
    """Versions in use that need the model: their hosts loaded it, their code names it (or an id that it replaces), or
    its weights are theirs.

    In use are those that are deployed, on their way there, or that collections run.
    """
    rows = ExtractorVersion.objects.filter(extractor__namespace_id=model.namespace_id)
    state = ExtractorVersion.State
    live = Q(state__in=[state.DEPLOYING, state.READY]) | Q(collections__isnull=False, retired_at=None)
    needing = Q(model_uses__model=model) | ~Q(models_named=[]) | Q(weights=model.archive_id)
    found = rows.filter(live & needing).select_related("extractor").distinct().order_by("public_id")
    loaded = set(model.uses.values_list("extractor_version_id", flat=True))
    return [
        row
        for row in found
        if row.pk in loaded or row.weights_id == model.archive_id or model.public_id in models_needed(row)
    ]


def models_needed(version: ExtractorVersion) -> list[str]:
    """Ids of the registry's models that the version's code names, as they are replaced for it."""
    return [version.model_overrides.get(name, name) for name in version.models_named]


def latest_deployment(version: ExtractorVersion) -> Deployment | None:
    """The last try to bring the version up; a worker is at it while it has a lease and no end."""
    return version.deployments.order_by("-started_at", "-pk").first()


@dataclass(frozen=True)
class Registered:
    """A model with the versions that need it, and those that could have a next one from it."""

    model: RegistryModel
    users: list[ExtractorVersion]
    candidates: list[ExtractorVersion]


def registry_page(namespace: Namespace) -> list[Registered]:
    """All models, newest first, in a fixed number of queries."""
    models = list(models_of(namespace))
    loading = (
        ExtractorVersion.objects.filter(extractor__namespace=namespace)
        .filter(~Q(models_named=[]) | Q(model_uses__isnull=False) | Q(archive=None, weights__isnull=False))
        .exclude(state=ExtractorVersion.State.RETIRED)
        .distinct()
    )
    versions = list(loading.select_related("extractor").order_by("-created_at", "-pk"))
    uses = ModelUse.objects.filter(model__in=models).values_list("extractor_version_id", "model__public_id")
    needed = {row.pk: set(models_needed(row)) for row in versions}
    for version_id, public_id in uses:
        needed.get(version_id, set()).add(public_id)
    newest: dict[int, ExtractorVersion] = {}
    for row in versions:
        newest.setdefault(row.extractor_id, row)
    page = []
    for model in models:
        names = {other.public_id for other in models if other.name == model.name}
        users = [
            row for row in versions if model.public_id in needed[row.pk] or row.weights_id == model.archive_id
        ]
        fits = model.state == RegistryModel.State.DEPLOYED
        candidates = [
            row
            for row in newest.values()
            if fits and row not in users and (_loads(needed[row.pk], names, model.name) or _takes(row, model))
        ]
        page.append(Registered(model, users, candidates))
    return page


def _loads(needed: set[str], ids: set[str], name: str) -> bool:
    """Whether one of the ids needed is a version of this model, be it registered or not."""
    return bool(needed & ids) or any(one.rsplit("_", 3)[0] == name for one in needed)


def _takes(version: ExtractorVersion, model: RegistryModel) -> bool:
    """Whether a version of a built-in package would take these weights next: those called as its extractor is."""
    own = version.archive_id is None and version.extractor.name == model.name
    return own and version.weights_id != model.archive_id


def production_of(extractor: Extractor) -> ExtractorVersion | None:
    """The version in production."""
    return ExtractorVersion.objects.select_related("extractor").filter(serves=extractor).first()


def history_of(extractor: Extractor) -> QuerySet[ProductionChange]:
    """Which versions were in production, the latest change first."""
    return extractor.production_history.select_related("version__extractor").order_by("-changed_at", "-pk")


def version_before(extractor: Extractor) -> ExtractorVersion | None:
    """Where rolling back leads: what served before the version that serves now came, by promotions alone.

    A version that was rolled back from is forgotten; deleted ones are passed over.
    """
    stack: list[ExtractorVersion] = []
    for change in history_of(extractor).reverse():
        if "rolled_back_from" in change.details and stack:
            stack.pop()
        if change.version is not None and change.version not in stack[-1:]:
            stack.append(change.version)
    below = [version for version in stack if version.pk != extractor.production_id]
    return below[-1] if below else None
