"""The gate as the page of a comparison shows it: each check, and the step that opens it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from extraction.packages.models import ExtractorVersion
from extraction.packages.queries import production_of, version_before
from mixcv.tenancy.addresses import address
from mixcv.tenancy.models import Namespace
from review.evaluation.gate import BETTER, BOXES, CLASSES, UNSEEN, Check, Gate, checks
from review.evaluation.overview import holdout_collection


@dataclass(frozen=True)
class OpeningStep:
    """A link, or where `posts` a form that makes the queue first."""

    title: str
    href: str
    posts: bool = False


@dataclass(frozen=True)
class ShownCheck:
    passed: bool
    text: str
    href: str


@dataclass(frozen=True)
class GatePanel:
    """`before`: where rolling back leads, only for the version in production."""

    gate: Gate
    checks: list[ShownCheck]
    step: OpeningStep | None
    serves: bool
    before: ExtractorVersion | None

    @property
    def passed(self) -> int:
        return sum(one.passed for one in self.checks)


def panel_of(namespace: Namespace, version: ExtractorVersion) -> GatePanel:
    gate = checks(version)
    serving = production_of(version.extractor)
    serves = serving is not None and serving.pk == version.pk
    failed = next((one for one in gate.checks if not one.passed), None)
    return GatePanel(
        gate=gate,
        checks=[ShownCheck(one.passed, one.text, _look(namespace, one)) for one in gate.checks],
        step=_step(namespace, version, failed) if failed else None,
        serves=serves,
        before=version_before(version.extractor) if serves else None,
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
        return _complete(namespace, version) or _train(namespace)
    if failed.key == CLASSES:
        worst = failed.numbers["worse"][0]["name"]
        return OpeningStep(f"See where {worst} got worse", _look(namespace, failed))
    if failed.key == BOXES:
        at = _look(namespace, failed)
        return _complete(namespace, version) or OpeningStep("Open the dataset", at)
    if failed.key == UNSEEN:
        return OpeningStep("Build a dataset version with another holdout", address(namespace, "datasets"))
    return OpeningStep("Evaluate both versions", _look(namespace, failed))


def _train(namespace: Namespace) -> OpeningStep:
    return OpeningStep("Train the next version", address(namespace, "training"))


def _complete(namespace: Namespace, version: ExtractorVersion) -> OpeningStep | None:
    collection = holdout_collection(namespace, version.extractor)
    if collection is None:
        return None
    return OpeningStep(
        "Complete the holdout", address(namespace, "queue-holdout", collection.public_id), True
    )
