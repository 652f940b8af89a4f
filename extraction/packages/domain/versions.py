"""A version's life after its deployment: in production, out of use, gone."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError, Value
from django.db.models.functions import Concat
from django.utils import timezone

from extraction.packages.domain.errors import GateClosed, InUse, NotDeployable, NothingBefore
from extraction.packages.hooks import production_gate
from extraction.packages.hosts import forget_hosts
from extraction.packages.models import Extractor, ExtractorVersion, ProductionChange
from extraction.packages.queries import collections_using, production_of, version_before
from mixcv.kernel.errors import Forbidden, InvalidInput
from mixcv.kernel.events import Happening, publish
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.queries import is_admin

SHORTEST_REASON = 10

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
        try:
            version.delete()
        except ProtectedError:
            raise InUse(
                f"{version} was measured or trained from, and what came of that points to it. Retire it instead."
            ) from None
        if not extractor.versions.exists():
            _delete_if_bare(extractor)
    return deployed


def _delete_if_bare(extractor: Extractor) -> None:
    """Without versions an extractor is only kept for its classes' indices, which are never given again."""
    if not extractor.class_indices.exists():
        extractor.delete()


def promote(*, version: ExtractorVersion, by: Actor, reason: str = "", override: bool = False) -> None:
    """Put a version into production. Raises NotDeployable for one that is not ready or serves already, GateClosed.

    `override`: an admin does it though the gate is closed, and says why; raises Forbidden, InvalidInput. The history
    keeps what the gate said.
    """
    with transaction.atomic():
        extractor = Extractor.objects.select_for_update().get(pk=version.extractor_id)
        version = ExtractorVersion.objects.select_related("extractor").get(pk=version.pk)
        if version.state != ExtractorVersion.State.READY:
            raise NotDeployable(f"{version} is {version.state}; only a ready version goes into production.")
        if extractor.production_id == version.pk:
            raise NotDeployable(f"{version} is in production already.")
        answers = [gate(version) for gate in production_gate]
        details = {name: value for one in answers for name, value in one.details.items()}
        if words := [one.words for one in answers if not one.open]:
            if not override:
                raise GateClosed(
                    f"{' '.join(words)} An admin can override this with a reason.", details=details
                )
            check_override(namespace_id=extractor.namespace_id, by=by, reason=reason)
            details["override"] = True
        set_production(version, actor=by, reason=reason.strip(), details=details)


def check_override(*, namespace_id: int, by: Actor, reason: str) -> None:
    """Raises Forbidden for who is no admin here, InvalidInput for a reason that says nothing."""
    if not is_admin(by, namespace_id):
        raise Forbidden(
            "Only an admin, or a key with the scope admin, puts a version into production that its gate refuses."
        )
    if len(reason.strip()) < SHORTEST_REASON:
        raise InvalidInput(
            f"Say in {SHORTEST_REASON} characters or more why the gate does not count this time.",
            field="reason",
        )


def roll_back(*, extractor: Extractor, by: Actor, reason: str = "") -> ExtractorVersion:
    """Put the version that served before into production again, without asking the gate; returns it.

    Rolled back again, it goes on to the one before that. Raises NothingBefore, NotDeployable.
    """
    with transaction.atomic():
        extractor = Extractor.objects.select_for_update().get(pk=extractor.pk)
        before = version_before(extractor)
        if before is None:
            raise NothingBefore(f"No other version of {extractor.name} was in production before.")
        if before.state != ExtractorVersion.State.READY:
            raise NotDeployable(
                f"{before}, which was in production before, is {before.state}. Deploy it first, or promote another."
            )
        current = production_of(extractor)
        left = current.version if current else ""
        set_production(
            before,
            actor=by,
            reason=reason.strip(),
            details={"rolled_back_from": left},
            event="extractor.rolled_back",
        )
    return before


def set_production(
    version: ExtractorVersion,
    *,
    actor: Actor,
    reason: str,
    details: dict[str, Any] | None = None,
    event: str = "extractor.promoted",
) -> None:
    """The pointer, its history and its event; the caller has checked and locked the extractor."""
    Extractor.objects.filter(pk=version.extractor_id).update(production=version)
    ProductionChange.objects.create(
        extractor_id=version.extractor_id,
        version=version,
        actor=actor.name,
        reason=reason,
        details=details or {},
    )
    payload = {
        "reason": reason,
        "extractor": version.extractor.name,
        "version": version.version,
        **{
            name: value for name, value in (details or {}).items() if name in ("override", "rolled_back_from")
        },
    }
    publish(
        namespace_id=version.extractor.namespace_id,
        actor=actor.name,
        happenings=[Happening(event, version.public_id, payload)],
    )
