"""Reads of datasets: lists, the plan, and what a plan leaves out."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import Count, Max, Q, QuerySet, Sum

from extraction.intake.models import Image
from extraction.packages.models import Extractor
from extraction.runs.models import Collection
from mixcv.kernel.errors import NotFound
from mixcv.tenancy.models import Namespace
from review.datasets.models import Dataset, DatasetVersion
from review.datasets.policy import Policy, read_policy
from review.datasets.selection import LEAVES, LEFT_OUT, PER_RULE, QUEUES, TAKES, parameters, select
from review.queues.holdout import holdout_left
from review.queues.models import Queue

TITLES = {
    "reviewed": "Reviewed whole",
    "accepted": "Sure detections accepted",
    "background": "Without any object",
    "partial": "Some boxes are undecided",
    "unsure": "Boxes under the threshold",
    "unseen": "Nobody has looked",
    "background_over": "More background than wanted",
    "same_content": "Same content as another",
}
WHY = {
    "reviewed": "Every box is decided, so nothing on the image would be taught as background.",
    "accepted": "All undecided boxes are at or above the threshold of the policy and count as true.",
    "background": "People found no object; the image has an empty label file.",
    "partial": "Training would teach the undecided objects as background.",
    "unsure": "At least one undecided box is below the threshold of the policy.",
    "unseen": "It is not known what is on the image.",
    "background_over": "Images without objects are bounded by the policy's share of background.",
    "same_content": "The picture is in the dataset under another upload.",
}


@dataclass(frozen=True)
class Waiting:
    """A queue that would complete images of a rule: on how many its boxes wait, and how many boxes."""

    queue: Queue
    images: int
    boxes: int


@dataclass
class PlanRow:
    """What one rule takes or leaves. `boxes` and `hard_negatives` are of its images."""

    rule: str
    takes: bool
    images: int = 0
    train: int = 0
    val: int = 0
    holdout: int = 0
    boxes: int = 0
    hard_negatives: int = 0
    included: int = 0
    queues: list[Waiting] = field(default_factory=list)

    @property
    def title(self) -> str:
        return TITLES[self.rule]

    @property
    def why(self) -> str:
        return WHY[self.rule]


@dataclass(frozen=True)
class Plan:
    """What a version built now would hold. `refusal`: why none can be built, or empty."""

    policy: Policy
    rows: list[PlanRow]

    def _sum(self, name: str) -> int:
        return sum(getattr(row, name) for row in self.rows if row.takes)

    @property
    def images(self) -> int:
        return self._sum("images")

    @property
    def train(self) -> int:
        return self._sum("train")

    @property
    def val(self) -> int:
        return self._sum("val")

    @property
    def boxes(self) -> int:
        return self._sum("boxes")

    @property
    def hard_negatives(self) -> int:
        return self._sum("hard_negatives")

    @property
    def left(self) -> int:
        return sum(row.images for row in self.rows if not row.takes)

    @property
    def refusal(self) -> str:
        if not self.rows:
            return "The buckets of the policy hold no image, and none was added."
        if not self.images:
            return "No image is reviewed whole."
        if not self.train:
            return "All complete images belong to the holdout, which is never trained on."
        if not self.val:
            return "No complete image belongs to the holdout, so nothing could be measured."
        return ""


def plan_of(dataset: Dataset) -> Plan:
    """What each rule takes or leaves at this moment, in two statements. Raises NotFound for a bucket that is gone."""
    policy = read_policy(dataset.policy)
    values = parameters(dataset, policy)
    rows: dict[str, PlanRow] = {}
    for rule, split, holdout, images, boxes, negatives, included in select(PER_RULE, values):
        row = rows.setdefault(rule, PlanRow(rule, rule in TAKES))
        row.images += images
        row.boxes += boxes
        row.hard_negatives += negatives
        row.included += included
        row.holdout += images if holdout else 0
        if split == "val":
            row.val += images
        else:
            row.train += images
    found = select(QUEUES, values)
    queues = Queue.objects.select_related("collection").in_bulk([queue for _, queue, _, _ in found])
    for rule, queue, images, boxes in found:
        rows[rule].queues.append(Waiting(queues[queue], images, boxes))
    return Plan(policy, [rows[rule] for rule in (*TAKES, *LEAVES) if rule in rows])


def left_out(dataset: Dataset, rule: str, *, limit: int, offset: int = 0) -> list[Image]:
    """Images of a rule, oldest first. Raises NotFound for a rule that there is not."""
    if rule not in TITLES:
        raise NotFound(f"There is no rule {rule[:50]!r}. There are: {', '.join(TITLES)}.", field="rule")
    values = parameters(dataset, read_policy(dataset.policy))
    keys = [key for (key,) in select(LEFT_OUT, {**values, "rule": rule, "limit": limit, "offset": offset})]
    images = Image.objects.prefetch_related("occurrences").in_bulk(keys)
    return [images[key] for key in keys]


def datasets_of(namespace: Namespace) -> QuerySet[Dataset]:
    """With the number of their versions and of the images asked for one by one."""
    return (
        Dataset.objects.filter(namespace=namespace)
        .select_related("extractor", "namespace")
        .annotate(
            version_count=Count("versions", distinct=True),
            latest_version=Max("versions__number"),
            include_count=Count("includes", distinct=True),
        )
    )


def get_dataset(namespace: Namespace, ref: str) -> Dataset:
    """A dataset by id or name. Raises NotFound."""
    ref = ref.replace("\x00", "?")
    found = list(datasets_of(namespace).filter(Q(public_id=ref) | Q(name=ref)).order_by("pk")[:10])
    if not found:
        raise NotFound(f"There is no dataset {ref[:200]!r} in {namespace.name}.", field="dataset_id")
    return next((row for row in found if row.public_id == ref), found[0])


def get_extractor(namespace: Namespace, name: str) -> Extractor:
    """Raises NotFound with the names that there are."""
    row = Extractor.objects.filter(namespace=namespace, name=name.replace("\x00", "?")).first()
    if row is None:
        names = Extractor.objects.filter(namespace=namespace).values_list("name", flat=True)
        raise NotFound(
            f"There is no extractor {name[:100]!r} here. There are: {', '.join(names[:50]) or 'none'}.",
            field="feature_extractor_name",
        )
    return row


def versions_of(dataset: Dataset) -> QuerySet[DatasetVersion]:
    """The latest first."""
    return (
        DatasetVersion.objects.filter(dataset=dataset)
        .select_related("dataset__extractor", "dataset__namespace")
        .order_by("-number")
    )


def get_version(dataset: Dataset, number: int) -> DatasetVersion:
    """Raises NotFound with the numbers that there are."""
    # A number beyond the column's range is none of them.
    row = versions_of(dataset).filter(number=number).first() if number < 2**31 else None
    if row is None:
        numbers = ", ".join(str(one) for one in versions_of(dataset).values_list("number", flat=True)[:20])
        raise NotFound(
            f"{dataset.name} has no version {number}. There are: {numbers or 'none'}.", field="version"
        )
    return row


def bytes_of(version: DatasetVersion) -> int:
    """How large the images of an export are together."""
    total = version.items.aggregate(n=Sum("image__working__size"))["n"]
    return int(total or 0)


def holdout_to_complete(extractor: Extractor) -> tuple[Collection, int] | None:
    """The extractor's newest collection with held-out images that are not reviewed whole, and how many these are."""
    rows = Collection.objects.filter(extractor_version__extractor=extractor)
    collections = {row.pk: row for row in rows.order_by("-extractor_version", "pk")}
    left = holdout_left(list(collections))
    return next(((row, left[key]) for key, row in collections.items() if left.get(key)), None)
