"""The gate to production: what a version must show against the one that serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from extraction.packages.hooks import GateAnswer
from extraction.packages.models import Extractor, ExtractorVersion
from extraction.packages.queries import production_of
from mixcv.tenancy.models import Namespace
from review.datasets.models import DatasetBox
from review.evaluation.charts import direction, interval_text, signed
from review.evaluation.lineage import lineage_of, trained_on
from review.evaluation.models import Evaluation, ImagePrediction, PromotionPolicy
from review.evaluation.naming import Naming
from review.evaluation.overview import holdout_collection
from review.evaluation.queries import comparison_of, newest_of
from review.queues.holdout import holdout_left

EVALUATED, BETTER, CLASSES, BOXES, UNSEEN = "evaluated", "better", "classes", "boxes", "unseen"
_NAMED = 5
_KEPT = ("key", "passed", "text", "link", "numbers")


@dataclass(frozen=True)
class Check:
    """One thing that is asked. `text` is for people. `link`: what to look at, as `{"kind": …}` with ids:
    "start" (an evaluation to start: old, new: versions' ids), "compare" (evaluation, old, new: versions' ids),
    "class" (the same with class_id), "holdout" (dataset, version: number), or empty. `numbers` are what `text` says.
    Where `lead` is there, `text` is `lead`, `items` and `advice`, which pages show as a list."""

    key: str
    passed: bool
    text: str
    link: dict[str, Any] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)
    lead: str = ""
    items: tuple[str, ...] = ()
    advice: str = ""

    @property
    def known(self) -> bool:
        """Whether anything is known of it; what is not known closes nothing."""
        return bool(self.numbers.get("known", True))


@dataclass(frozen=True)
class Gate:
    """All checks of one version against the one in production; open where every one passed."""

    version: ExtractorVersion
    against: ExtractorVersion | None
    evaluation: Evaluation | None
    checks: list[Check]

    @property
    def open(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def words(self) -> str:
        """Why it is closed."""
        return " ".join(check.text for check in self.checks if not check.passed)

    def as_json(self) -> dict[str, Any]:
        """What the history of production keeps."""
        return {
            "evaluation_id": self.evaluation.public_id if self.evaluation else None,
            "against": self.against.version if self.against else None,
            "checks": [{name: getattr(check, name) for name in _KEPT} for check in self.checks],
        }


def policy_of(extractor: Extractor) -> PromotionPolicy:
    """The extractor's policy, or the defaults."""
    return PromotionPolicy.objects.filter(extractor=extractor).first() or PromotionPolicy(extractor=extractor)


def checks(version: ExtractorVersion) -> Gate:
    """Hold a version against the one in production of its extractor."""
    extractor = version.extractor
    against = production_of(extractor)
    if against is None:
        text = f"No version of {extractor.name} is in production, so that there is none to be better than."
        return Gate(version, None, newest_of(version), [Check(EVALUATED, True, text)])
    if against.pk == version.pk:
        return Gate(
            version, against, newest_of(version), [Check(EVALUATED, True, f"{version} is in production.")]
        )
    row = newest_of(version, beside=against)
    if row is None:
        return Gate(version, against, None, [_not_evaluated(version, against)])
    results, link = _compared(row, against, version)
    policy = policy_of(extractor)
    found = [
        _evaluated(row, version, against, link),
        _better(results, version, against, link),
        _classes(results, policy, link),
        _boxes(row, policy, extractor),
        _unseen(row, version),
    ]
    return Gate(version, against, row, found)


def production_answer(version: ExtractorVersion) -> GateAnswer:
    """The gate as `promote` asks for it."""
    gate = checks(version)
    start = f"The gate of {version.extractor.name} is closed for {version.version}. "
    return GateAnswer(gate.open, "" if gate.open else start + gate.words, gate.as_json())


def _not_evaluated(version: ExtractorVersion, against: ExtractorVersion) -> Check:
    return Check(
        EVALUATED,
        False,
        f"{version} was never measured beside {against}, which is in production. Evaluate both on one holdout first.",
        {"kind": "start", "old": against.public_id, "new": version.public_id},
    )


def _compared(
    row: Evaluation, old: ExtractorVersion, new: ExtractorVersion
) -> tuple[dict[str, Any], dict[str, Any]]:
    sides = {one.extractor_version_id: one for one in row.versions.defer("metrics")}
    results = comparison_of(sides[old.pk], sides[new.pk])
    assert results is not None, "a finished evaluation has its comparisons"
    link = {"kind": "compare", "evaluation": row.public_id, "old": old.public_id, "new": new.public_id}
    return results, link


def _evaluated(
    row: Evaluation, version: ExtractorVersion, against: ExtractorVersion, link: dict[str, Any]
) -> Check:
    unread: dict[int, set[int]] = {version.pk: set(), against.pk: set()}
    rows = ImagePrediction.objects.filter(
        evaluated__evaluation=row, evaluated__extractor_version__in=unread
    ).exclude(error="")
    for key, item in rows.values_list("evaluated__extractor_version", "item"):
        unread[key].add(item)
    failed, uneven = (
        len(unread[version.pk] | unread[against.pk]),
        len(unread[version.pk] ^ unread[against.pk]),
    )
    numbers = {"images": row.image_count, "failed_images": failed, "failed_for_one": uneven}
    text = f"{version} and {against} were measured on the {row.image_count:,} holdout images of {row.dataset_version}."
    if failed:
        text += f" {failed:,} could not be read and count as images without boxes."
    if uneven:
        text += (
            f" {uneven:,} of them could be read by one version alone, so that the two cannot be compared: evaluate "
            "both again."
        )
        link = {"kind": "start", "old": against.public_id, "new": version.public_id}
    return Check(EVALUATED, not uneven, text, link, numbers)


def _better(
    results: dict[str, Any], version: ExtractorVersion, against: ExtractorVersion, link: dict[str, Any]
) -> Check:
    one = results["map50_95"]
    numbers = {name: one[name] for name in ("old", "new", "difference", "low", "high")}
    if one["difference"] is None or one["low"] is None:
        return Check(
            BETTER, False, "The holdout has no true box, so that nothing says which is better.", link, numbers
        )
    passed = one["low"] > 0
    said = f"mAP50-95 goes from {one['old']:.3f} to {one['new']:.3f}, {_signed(one)}"
    if passed:
        text = f"{said}: better by more than chance."
    elif one["high"] < 0:
        text = f"{said}: {version.version} is worse than {against.version}."
    else:
        text = f"{said}: the interval includes zero, so that this may be chance. More holdout images make it narrower."
    return Check(BETTER, passed, text, link, numbers)


def _signed(one: dict[str, Any]) -> str:
    bounds = "" if one["low"] is None else f" ({interval_text(one['low'], one['high'])})"
    return f"{signed(one['difference'])}{bounds}"


def _listed(
    key: str, lead: str, found: list[str], advice: str, link: dict[str, Any], numbers: dict[str, Any]
) -> Check:
    """A check that is not passed for some classes, each in its own words."""
    more = [f"{len(found) - _NAMED} more"] if len(found) > _NAMED else []
    items = (*found[:_NAMED], *more)
    text = f"{lead} {'; '.join(items)}. {advice}".strip()
    return Check(key, False, text, link, numbers, lead, items, advice)


def _classes(results: dict[str, Any], policy: PromotionPolicy, link: dict[str, Any]) -> Check:
    """By the point estimates: with few boxes of a class its interval nearly always reaches below the bound."""
    known = [one for one in results["classes"] if one["difference"] is not None]
    worse = sorted(
        (one for one in known if one["difference"] < -policy.class_bound), key=lambda one: one["difference"]
    )
    numbers = {
        "bound": policy.class_bound,
        "worse": [
            {name: one[name] for name in ("class_id", "name", "difference", "low", "high")} for one in worse
        ],
    }
    if not worse:
        text = f"No class is worse by more than {policy.class_bound:g} AP50-95 ({len(known)} compared)."
        return Check(CLASSES, True, text, link, numbers)
    found = [
        f"class {one['name']} {_signed(one)}{', proven' if direction(one['low'], one['high']) == 'poor' else ''}"
        for one in worse
    ]
    link = {**link, "kind": "class", "class_id": worse[0]["class_id"]}
    return _listed(CLASSES, f"Worse by more than {policy.class_bound:g} AP50-95:", found, "", link, numbers)


def _boxes(row: Evaluation, policy: PromotionPolicy, extractor: Extractor) -> Check:
    """Of each class that the dataset version teaches, whether the holdout has enough."""
    naming = Naming.of(row.settings)
    taught = DatasetBox.objects.filter(item__dataset_version=row.dataset_version_id)
    keys = {naming.key(key) for key in taught.values_list("object_class", flat=True).distinct()}
    few = [one for one in row.classes if one["class_id"] in keys and one["boxes"] < policy.least_boxes]
    numbers: dict[str, Any] = {
        "least": policy.least_boxes,
        "few": [{name: one[name] for name in ("class_id", "name", "boxes")} for one in few],
    }
    link = {
        "kind": "holdout",
        "dataset": row.dataset_version.dataset.public_id,
        "version": row.dataset_version.number,
    }
    if not few:
        text = (
            f"Each of the {len(keys)} classes has {policy.least_boxes} or more checked boxes on the holdout."
        )
        return Check(BOXES, True, text, link, numbers)
    found = [f"class {one['name']} has {one['boxes']} of {policy.least_boxes} checked boxes" for one in few]
    begin = "Complete the holdout" if left_of(row.namespace, extractor) else f"{more_of(few)} to the holdout"
    advice = f"{begin} and build the next version of the dataset; an admin can change the bound."
    return _listed(BOXES, "Too few on the holdout:", found, advice, link, numbers)


def more_of(few: Sequence[Mapping[str, Any]]) -> str:
    """Add images with bus, 6 and others."""
    names = ", ".join(one["name"] for one in few[:2])
    return f"Add images with {names}{' and others' if len(few) > 2 else ''}"


def left_of(namespace: Namespace, extractor: Extractor) -> int:
    """Held-out images that are not reviewed whole, where the holdout of an extractor is completed."""
    collection = holdout_collection(namespace, extractor)
    return holdout_left([collection.pk]).get(collection.pk, 0) if collection else 0


def _unseen(row: Evaluation, version: ExtractorVersion) -> Check:
    lineage = lineage_of(version)
    begins = lineage.begins_with
    if not lineage.dataset_versions:
        text = f"Not known: {version} was not trained here, so it may have seen holdout images."
        return Check(UNSEEN, True, text, {}, {"trained_on": 0, "known": False})
    seen = trained_on(row.dataset_version, lineage.dataset_versions)
    numbers = {"trained_on": seen, "known": True}
    if not seen:
        text = f"No holdout image was trained on, back to {begins}, whose weights came from elsewhere."
        return Check(UNSEEN, True, text, {}, numbers)
    text = (
        f"{seen:,} of the {row.image_count:,} holdout images, or pictures of the same content or group, were trained "
        "on. Measure on a dataset version whose holdout was never trained on."
    )
    return Check(UNSEEN, False, text, {}, numbers)
