"""Which class a name or a frozen box means: by name in the namespace, merged ones by what they became."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count

from extraction.classes.domain import ensure_classes
from extraction.classes.models import ObjectClass
from extraction.packages.models import ExtractorVersion
from mixcv.tenancy.models import Namespace
from review.datasets.models import DatasetBox, DatasetVersion


@dataclass
class Naming:
    """The classes of one evaluation as they were called when it began, so that a merge meanwhile splits nothing."""

    names: dict[str, int] = field(default_factory=dict)
    merged: dict[int, int] = field(default_factory=dict)

    @classmethod
    def now(cls, namespace: Namespace) -> Naming:
        rows = ObjectClass.objects.filter(namespace=namespace).values_list("pk", "name", "merged_into")
        into = {key: after for key, _, after in rows if after is not None}
        return cls({name: _last(key, into) for key, name, _ in rows}, {key: _last(key, into) for key in into})

    @classmethod
    def of(cls, settings: dict[str, Any]) -> Naming:
        """As `Evaluation.settings` keeps it."""
        return cls(dict(settings["names"]), {int(key): value for key, value in settings["merged"].items()})

    def known(self, names: Iterable[str], keys: Iterable[int]) -> dict[str, Any]:
        """What `Evaluation.settings` keeps of it: only these names and keys."""
        return {
            "names": {name: self.names[name] for name in names if name in self.names},
            "merged": {str(key): self.merged[key] for key in keys if key in self.merged},
        }

    def key(self, class_id: int) -> int:
        return self.merged.get(class_id, class_id)

    def learn(self, namespace: Namespace, names: Iterable[str]) -> None:
        """Names that no version told beforehand become classes, as they do where detections are written."""
        new = sorted({name for name in names if name not in self.names})
        if new:
            found = ensure_classes(namespace=namespace, names=new)
            self.names |= {name: found[name.strip()].pk for name in new}


def _last(key: int, into: dict[int, int]) -> int:
    seen: set[int] = set()
    while key in into and key not in seen:
        seen.add(key)
        key = into[key]
    return key


def truth_counts(dataset_version: DatasetVersion, naming: Naming) -> dict[int, int]:
    """True boxes on the holdout by class."""
    rows = DatasetBox.objects.filter(item__dataset_version=dataset_version, item__holdout=True)
    counts: dict[int, int] = {}
    for key, number in rows.values_list("object_class").annotate(number=Count("pk")).order_by():
        counts[naming.key(key)] = counts.get(naming.key(key), 0) + number
    return counts


def class_list(
    namespace: Namespace, dataset_version: DatasetVersion, naming: Naming, also: Iterable[int]
) -> list[dict[str, Any]]:
    """`Evaluation.classes`: those of the dataset in the order of their indices, then the others by name."""
    boxes = truth_counts(dataset_version, naming)
    first = [naming.key(one["class_id"]) for one in dataset_version.classes if one["class_id"] is not None]
    rows = ObjectClass.objects.filter(namespace=namespace).in_bulk({*first, *boxes, *also})
    rest = sorted((key for key in rows if key not in first), key=lambda key: rows[key].name)
    return [
        {"class_id": key, "name": rows[key].name, "colour": rows[key].colour, "boxes": boxes.get(key, 0)}
        for key in dict.fromkeys([*first, *rest])
        if key in rows
    ]


def classes_of(version: ExtractorVersion, naming: Naming) -> list[int]:
    """The keys of a version's classes; of one that names none, none."""
    return [naming.names[name] for name in _names(version) if name in naming.names]


def all_names(versions: Sequence[ExtractorVersion]) -> set[str]:
    return {name for version in versions for name in _names(version)}


def _names(version: ExtractorVersion) -> list[str]:
    return [str(name) for name in version.class_names]
