"""A version's life after its deployment: in production, out of use, gone."""

from __future__ import annotations

from functools import partial

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Concat
from django.utils import timezone

from extraction.packages.domain.errors import InUse, NotDeployable
from extraction.packages.hosts import forget_hosts
from extraction.packages.models import Extractor, ExtractorVersion, ProductionChange
from extraction.packages.queries import collections_using
from mixcv.kernel.events import Happening, publish
from mixcv.tenancy.actors import Actor

_UP = [ExtractorVersion.State.READY, ExtractorVersion.State.DEPLOYING, ExtractorVersion.State.FAILED]


def retire(*, version: ExtractorVersion, by: Actor, reason: str = "") -> None:
    """Take a version out of use; what it found stays. Raises NotDeployable while it is in production."""
    with transaction.atomic():
        extractor = Extractor.objects.select_for_update().get(pk=version.extractor_id)
        if extractor.production_id == version.pk:
            raise NotDeployable(f"{version} is in production. Put another version there first.")
        ExtractorVersion.objects.filter(pk=version.pk).update(
            state=ExtractorVersion.State.RETIRED, retired_at=timezone.now()
        )
        publish(
            namespace_id=extractor.namespace_id,
            actor=by.name,
            happenings=[Happening("extractor_version.retired", version.public_id, {"reason": reason})],
        )
        transaction.on_commit(partial(forget_hosts, version.pk), robust=True)


def undeploy(*, version: ExtractorVersion, by: Actor) -> None:
    """Take a version's hosts down. It stays registered; its collections' items wait until it is deployed again.

    Raises NotDeployable where it is not deployed.
    """
    with transaction.atomic():
        down = ExtractorVersion.objects.filter(pk=version.pk, state__in=_UP).update(
            state=ExtractorVersion.State.REGISTERED, error="", deployed_at=None
        )
        if not down:
            version.refresh_from_db()
            raise NotDeployable(f"{version} is {version.state}, not deployed.")
        publish(
            namespace_id=version.extractor.namespace_id,
            actor=by.name,
            happenings=[Happening("extractor_version.undeployed", version.public_id)],
        )
        transaction.on_commit(partial(forget_hosts, version.pk), robust=True)


def delete_version(*, version: ExtractorVersion, by: Actor) -> bool:
    """Remove a version that no collection uses. Returns whether it was deployed. Raises InUse naming the collections.

    What it was in production for stays in the history, by name.
    """
    with transaction.atomic():
        extractor = Extractor.objects.select_for_update().get(pk=version.extractor_id)
        version = ExtractorVersion.objects.select_for_update().get(pk=version.pk)
        if used := collections_using(version):
            raise InUse(
                f"{version} is used by {'the collection' if len(used) == 1 else 'the collections'} "
                f"{', '.join(used[:10])}{' …' if len(used) > 10 else ''}. "
                "Its results point to it; undeploy or retire it instead.",
                details={"collections": used},
            )
        deployed = version.state == ExtractorVersion.State.READY
        if extractor.production_id == version.pk:
            Extractor.objects.filter(pk=extractor.pk).update(production=None)
            ProductionChange.objects.create(
                extractor=extractor, version=None, actor=by.name, reason=f"{version.version} was deleted"
            )
        ProductionChange.objects.filter(version=version).update(
            version=None, reason=Concat(Value(f"{version.version}, deleted later: "), "reason")
        )
        publish(
            namespace_id=extractor.namespace_id,
            actor=by.name,
            happenings=[
                Happening("extractor_version.deleted", version.public_id, {"version": version.version})
            ],
        )
        transaction.on_commit(partial(forget_hosts, version.pk), robust=True)
        version.delete()
        if not extractor.versions.exists():
            _delete_if_bare(extractor)
    return deployed


def _delete_if_bare(extractor: Extractor) -> None:
    """Without versions an extractor is only kept for its classes' indices, which are never given again."""
    if not extractor.class_indices.exists():
        extractor.delete()


def promote(*, version: ExtractorVersion, by: Actor, reason: str = "") -> None:
    """Put a version into production. Raises NotDeployable for one that is not ready."""
    with transaction.atomic():
        Extractor.objects.select_for_update().get(pk=version.extractor_id)
        version = ExtractorVersion.objects.select_related("extractor").get(pk=version.pk)
        if version.state != ExtractorVersion.State.READY:
            raise NotDeployable(f"{version} is {version.state}; only a ready version goes into production.")
        set_production(version, actor=by, reason=reason)


def set_production(version: ExtractorVersion, *, actor: Actor, reason: str) -> None:
    """The pointer, its history and its event; the caller has checked and locked the extractor."""
    Extractor.objects.filter(pk=version.extractor_id).update(production=version)
    ProductionChange.objects.create(
        extractor_id=version.extractor_id, version=version, actor=actor.name, reason=reason
    )
    publish(
        namespace_id=version.extractor.namespace_id,
        actor=actor.name,
        happenings=[Happening("extractor.promoted", version.public_id, {"reason": reason})],
    )
