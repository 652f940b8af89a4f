"""What home knows of a namespace, as plain values: read once, shown as stages, ideas and panels."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Place:
    """A page by its name and what its address needs; pages of rooms that are not there have no address."""

    name: str
    args: tuple[str, ...] = ()


@dataclass(frozen=True)
class Difference:
    """New less old, with the ends of its 95 % interval. Shares, 0 to 1."""

    value: float
    low: float | None
    high: float | None

    @property
    def proven(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    @property
    def text(self) -> str:
        return signed(self.value)

    @property
    def interval(self) -> str:
        if self.low is None or self.high is None:
            return "no interval"
        return f"{signed(self.low)} to {signed(self.high)}"

    @property
    def direction(self) -> str:
        """up or down where it is proven, else nothing: a difference without proof has no colour."""
        if not self.proven:
            return ""
        return "up" if self.value > 0 else "down"


@dataclass(frozen=True)
class Failed:
    """Something that stopped and needs a person. `urgent`: before boxes that wait, too."""

    title: str
    error: str
    at: Place
    action: str = "See what to do"
    urgent: bool = True


@dataclass(frozen=True)
class WaitingQueue:
    """A queue to open: `boxes` (in a holdout's also images) wait in it. `seconds`: at the reader's own pace. `newest`:
    no younger version of its extractor is up than the one that found them."""

    ref: str
    collection: str
    boxes: int
    doubtful_below: float = 0.0
    retriever: str = ""
    seconds: float | None = None
    extractor: str = ""
    newest: bool = True


@dataclass(frozen=True)
class Gate:
    """Whether a version may go into production, and in words what it lacks."""

    open: bool
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """A version that could follow the one in production. `evaluation`: the one that compares the two, if any."""

    version: str
    name: str
    evaluation: str = ""
    under_way: bool = False
    difference: Difference | None = None
    gate: Gate | None = None


@dataclass(frozen=True)
class Training:
    """A run of fine-tuning under way. `seconds`: what is left, None before the first estimate."""

    ref: str
    extractor: str
    epoch: int
    epochs: int
    share: float
    seconds: float | None = None
    waits: bool = False


@dataclass(frozen=True)
class Line:
    """How far an extractor is on its way round the loop.

    `dataset` is the id of its dataset (empty: none), `number` the latest version (0: none) with `images`;
    `complete_since`: complete images since that version, of all where there is none. `trained_on` is whether a run
    has used the latest version. `undetected`: a trained version's name that no collection has; `run` made it.
    `measured`: the newest candidate that was measured beside the one in production.
    """

    extractor: str
    production: str = ""
    dataset: str = ""
    dataset_name: str = ""
    number: int = 0
    images: int = 0
    holdout: int = 0
    complete_since: int = 0
    trained_on: bool = False
    training: Training | None = None
    undetected: str = ""
    run: str = ""
    candidate: Candidate | None = None
    measured: Candidate | None = None


@dataclass(frozen=True)
class State:
    """A namespace at a moment. `detecting`: batches at work, `stuck`: those that wait for a detector; `verified`:
    objects that people or imported truth say are there."""

    manages: bool = True
    images: int = 0
    boxes: int = 0
    documents: int = 0
    unreadable: int = 0
    collections: int = 0
    ready_detectors: int = 0
    deploying: int = 0
    detecting: int = 0
    stuck: int = 0
    detect_left: int = 0
    waiting: int = 0
    decided_this_month: int = 0
    verdicts: int = 0
    since_training: int = 0
    verified: int = 0
    failed: tuple[Failed, ...] = ()
    queue: WaitingQueue | None = None
    holdout_queue: WaitingQueue | None = None
    lines: tuple[Line, ...] = field(default_factory=tuple)
    last_trained: str = ""


def signed(value: float) -> str:
    """0.031 → +0.031, −0.012 with a real minus sign."""
    sign = "+" if value >= 0 else "−"
    return f"{sign}{abs(value):.3f}"


def number_of(count: int, noun: str, plural: str = "") -> str:
    """1 box, 1,204 boxes."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
