"""The gate as the page of a comparison shows it: each check, and the step that opens it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from extraction.packages.models import ExtractorVersion
from extraction.packages.queries import history_of, production_of, version_before
from mixcv.tenancy.addresses import address
from mixcv.tenancy.models import Namespace
from review.evaluation.gate import BETTER, BOXES, CLASSES, UNSEEN, Check, Gate, checks, left_of, more_of
from review.evaluation.overview import holdout_collection


@dataclass(frozen=True)
class OpeningStep:
    """A link, or where `posts` a form that makes the queue first."""

    title: str
    href: str
    posts: bool = False


@dataclass(frozen=True)
class ShownCheck:
    """`known`: False where nothing speaks for or against it. `lead`, `items`, `advice`: a list in place of `text`."""

    passed: bool
    text: str
    href: str
    known: bool = True
    lead: str = ""
    items: tuple[str, ...] = ()
    advice: str = ""


@dataclass(frozen=True)
class GatePanel:
    """`before`: where rolling back leads, `since`: when it came there; only for the version in production."""

    gate: Gate
    checks: list[ShownCheck]
    step: OpeningStep | None
    serves: bool
    before: ExtractorVersion | None
    since: datetime | None

    @property
    def asked(self) -> int:
        """Checks of which something is known."""
        return sum(one.known for one in self.checks)

    @property
    def passed(self) -> int:
        return sum(one.passed and one.known for one in self.checks)


def panel_of(
    namespace: Namespace, version: ExtractorVersion, against: ExtractorVersion | None = None
) -> GatePanel:
    """Of a version; where `against` has taken its place in production, of that one: there rolling back leads back."""
    serving, before = production_of(version.extractor), version_before(version.extractor)
    if against is not None and against == serving and before == version:
        version = against
    gate = checks(version)
    serves = serving is not None and serving.pk == version.pk
    since = history_of(version.extractor).filter(version=version).first() if serves else None
    failed = next((one for one in gate.checks if not one.passed), None)
    return GatePanel(
        gate=gate,
        checks=[
            ShownCheck(
                one.passed, one.text, _look(namespace, one), one.known, one.lead, one.items, one.advice
            )
            for one in gate.checks
        ],
        step=_step(namespace, version, failed) if failed else None,
        serves=serves,
        before=before if serves else None,
        since=since.changed_at if since else None,
    )


def _look(namespace: Namespace, check: Check) -> str:
    """Where the numbers of a check are seen."""
    link: dict[str, Any] = check.link
    if link.get("kind") == "compare":
        return f"{address(namespace, 'compare', link['evaluation'])}?old={link['old']}&new={link['new']}"
    if link.get("kind") == "class":
        at = address(namespace, "compare-images", link["evaluation"])
        return f"{at}?old={link['old']}&new={link['new']}&class={link['class_id']}"
    if link.get("kind") == "holdout":
        return address(namespace, "dataset", link["dataset"])
    if link.get("kind") == "start":
        return f"{address(namespace, 'versions')}?old={link['old']}&new={link['new']}#start"
    return ""


def _step(namespace: Namespace, version: ExtractorVersion, failed: Check) -> OpeningStep:
    """What opens the first check that is closed."""
    if failed.key == BETTER:
        high = failed.numbers.get("high")
        if high is not None and high < 0:
            return _train(namespace)
        return _complete(namespace, version) or OpeningStep(
            "Add images to the holdout", address(namespace, "images")
        )
    if failed.key == CLASSES:
        worst = failed.numbers["worse"][0]["name"]
        return OpeningStep(f"See where class {worst} got worse", _look(namespace, failed))
    if failed.key == BOXES:
        more = f"{more_of(failed.numbers['few'])} to the holdout"
        return _complete(namespace, version) or OpeningStep(more, address(namespace, "images"))
    if failed.key == UNSEEN:
        return OpeningStep("Build a dataset version with another holdout", address(namespace, "datasets"))
    return OpeningStep("Evaluate both versions", _look(namespace, failed))


def _train(namespace: Namespace) -> OpeningStep:
    return OpeningStep("Train the next version", address(namespace, "training"))


def _complete(namespace: Namespace, version: ExtractorVersion) -> OpeningStep | None:
    collection = holdout_collection(namespace, version.extractor)
    if collection is None or not left_of(namespace, version.extractor):
        return None
    return OpeningStep(
        "Complete the holdout", address(namespace, "queue-holdout", collection.public_id), True
    )
