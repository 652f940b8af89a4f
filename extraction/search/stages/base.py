"""What a stage is, what it gets and gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from django.db.models import QuerySet
from jsonschema import Draft202012Validator

from extraction.packages.models import Feature
from extraction.runs.models import Collection
from extraction.search.fields import resolver, value_of
from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.filters import names_in, parse, to_q
from mixcv.kernel.registry import Registry
from mixcv.tenancy.models import Namespace

MOST_HITS = 10_000

# Stages that come with a later part of the product, and the words that say so.
LATER = {
    "taxonomy_enrich": "taxonomy_enrich comes with the taxonomies, which this installation does not have."
}

FILTERS = {"description": "A filter: {AND: [...]}, {OR: [...]}, {NOT: [...]}, or one condition."}
COUNT = {"type": "integer", "minimum": 1, "maximum": MOST_HITS}
FIELD = {"type": "string", "minLength": 1, "maxLength": 200}
# Sent by clients, of no effect here.
IGNORED: dict[str, Any] = {}


@dataclass(frozen=True)
class Hit:
    """A document or a detection by its key, with its score and, after group_by, its group."""

    key: int
    score: float
    group: Any = None


@dataclass
class Context:
    """What all stages of one run share. `feature`: the last one that was searched."""

    namespace: Namespace
    unit: str
    collections: Sequence[Collection] | None = None
    warnings: list[str] = field(default_factory=list)
    feature: Feature | None = None


@dataclass(frozen=True)
class Selection:
    """What a search has so far: all rows of a query in an order, or, once one stage has chosen, hits in theirs."""

    rows: QuerySet[Any]
    hits: tuple[Hit, ...] | None = None
    order: tuple[Any, ...] = ()

    def count(self) -> int:
        return self.rows.count() if self.hits is None else len(self.hits)

    def narrowed(self, rows: QuerySet[Any]) -> Selection:
        """What of it is in `rows`, a narrower query."""
        if self.hits is None:
            return replace(self, rows=rows)
        left = set(rows.filter(pk__in=[hit.key for hit in self.hits]).values_list("pk", flat=True))
        return Selection(rows, tuple(hit for hit in self.hits if hit.key in left))

    def taken(self, limit: int = MOST_HITS, offset: int = 0) -> tuple[Hit, ...]:
        """Its first hits. Rows that nobody ranked have the score 1."""
        if self.hits is not None:
            return self.hits[offset : offset + limit]
        keys = self.rows.order_by(*self.order, "pk").values_list("pk", flat=True)
        return tuple(Hit(key, 1.0) for key in keys[offset : offset + limit])

    def only(self, hits: Iterable[Hit]) -> Selection:
        return Selection(self.rows, tuple(hits))

    def values(self, unit: str, name: str, hits: Sequence[Hit]) -> dict[int, Any]:
        """One field's value for each of `hits`, in one query."""
        rows = self.rows.filter(pk__in=[hit.key for hit in hits])
        return dict(
            rows.order_by().annotate(stage_value=value_of(unit, name)).values_list("pk", "stage_value")
        )


Run = Callable[[Context, Selection, dict[str, Any]], Selection]
# What a stage needs from elsewhere, fetched and embedded before the transaction in which stages run.
Prepare = Callable[[Context, dict[str, Any]], dict[str, Any]]


class Check(Protocol):
    def __call__(self, parameters: dict[str, Any], *, unit: str, place: str) -> None: ...


@dataclass(frozen=True)
class Stage:
    """One kind of stage. `properties` are its parameters as JSON schema; `filters` names those that are filters."""

    id: str
    category: str
    icon: str
    description: str
    properties: Mapping[str, Any]
    run: Run
    required: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    check_more: Check | None = None
    prepare: Prepare | None = None

    @property
    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": dict(self.properties),
            "required": list(self.required),
            "additionalProperties": False,
        }

    @property
    def known(self) -> list[str]:
        """The names of the parameters that have an effect."""
        return sorted(name for name, schema in self.properties.items() if schema is not IGNORED)

    def check(self, parameters: Any, *, unit: str, place: str) -> None:
        """Raises InvalidInput with all faults. What holds a template is left until it is filled in."""
        faults = [
            (".".join([place, *map(str, fault.absolute_path)]), _words(fault, self))
            for fault in Draft202012Validator(self.schema).iter_errors(parameters)
            if not (isinstance(fault.instance, str) and "{{" in fault.instance)
        ]
        if faults:
            raise InvalidInput(
                f"{self.id}: {faults[0][1]}",
                field=faults[0][0],
                details={
                    "validation_errors": [
                        {"type": "invalid_input", "location": ["body", *where.split(".")], "message": words}
                        for where, words in faults
                    ]
                },
            )
        for name in self.filters:
            check_filter(parameters.get(name), unit=unit, place=f"{place}.{name}")
        if self.check_more:
            self.check_more(parameters, unit=unit, place=place)


def _words(fault: Any, stage: Stage) -> str:
    if fault.validator == "additionalProperties" and not fault.absolute_path:
        extra = sorted(set(fault.instance) - set(stage.properties))
        return f"Unknown parameter {', '.join(extra)}. Accepted: {', '.join(stage.known)}."
    return str(fault.message)[:300]


def check_filter(raw: Any, *, unit: str, place: str) -> None:
    """Raises InvalidInput where a filter cannot be run; one with templates is looked at when they are filled in."""
    if not names_in(raw):
        to_q(parse(raw, place), resolver(unit))


stages: Registry[Stage] = Registry("retriever stages")


def get_stage(name: Any, place: str = "stages") -> Stage:
    """Raises InvalidInput naming the stages that there are."""
    known = {stage.id: stage for stage in stages}
    if isinstance(name, str) and name in known:
        return known[name]
    if isinstance(name, str) and name in LATER:
        raise InvalidInput(f"{LATER[name]} There are: {', '.join(known)}.", field=place)
    raise InvalidInput(f"There is no stage {str(name)[:60]!r}. There are: {', '.join(known)}.", field=place)
