"""Running a search: its stages in turn, each timed and counted, and the record that is kept of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from extraction.intake.schema import check_json
from extraction.runs.domain.collections import get_collection
from extraction.runs.models import Collection, Detection, Document
from extraction.search.definition import check_inputs, read_stages
from extraction.search.domain.leaving import deleted_collections
from extraction.search.fields import detection_id, document_id, resolver
from extraction.search.models import Execution, Retriever, Unit
from extraction.search.stages import Context, Hit, Selection, Stage, get_stage
from mixcv.kernel.errors import DomainError, InvalidInput, Unavailable
from mixcv.kernel.filters import fill, parse, tell_faults, to_q
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Namespace

# So many hits are kept with an execution, and can be paged through.
KEPT = 1000
DEEPEST_OFFSET = 10_000


@dataclass(frozen=True)
class Plan:
    """What to run: stages in their one form, the collections by id or name (none: all that have the features)."""

    stages: list[dict[str, Any]]
    unit: str
    collections: Sequence[str] = ()
    input_schema: dict[str, Any] = field(default_factory=dict)
    retriever: Retriever | None = None
    gone: Sequence[
        str
    ] = ()  # names of the collections that it searched, all of them deleted: it finds nothing

    @property
    def definition(self) -> dict[str, Any]:
        return {"stages": self.stages, "collection_identifiers": list(self.collections), "unit": self.unit}


@dataclass(frozen=True)
class Ran:
    """An execution and one page of its hits."""

    execution: Execution
    hits: tuple[Hit, ...]
    offset: int
    limit: int

    @property
    def next_offset(self) -> int | None:
        """Where the next page begins; None where there is none, or none that is kept."""
        after = self.offset + self.limit
        return after if after < len(self.execution.results) else None


def plan_of(retriever: Retriever) -> Plan:
    refs = [row.public_id for row in retriever.collections.all()]
    gone = deleted_collections(retriever)
    return Plan(retriever.stages, retriever.unit, refs, retriever.input_schema, retriever, gone)


def execute(
    *,
    namespace: Namespace,
    plan: Plan,
    inputs: dict[str, Any] | None = None,
    filters: Any = None,
    limit: int = 10,
    offset: int = 0,
    by: Actor,
    mode: str = Execution.Mode.RETRIEVER,
) -> Ran:
    """Run a search, and keep what each stage took, returned and cost. A failed one is kept too, with its reason.

    Raises InvalidInput for inputs, filters or stages that cannot be run, Conflict where what embeds a query is not up:
    `details.execution_id` names its record. Raises Unavailable, without a record, for what passes.
    """
    begun = time.perf_counter()
    check_json(inputs, field="inputs")
    check_json(filters, field="filters")
    row = Execution(
        namespace=namespace,
        retriever=plan.retriever,
        mode=mode,
        definition=plan.definition,
        unit=plan.unit,
        inputs=inputs or {},
        filters=filters or {},
        actor=by.name,
    )
    try:
        ready = _prepare(namespace, plan, inputs or {}, filters)
        with tell_faults():
            selection = _run(ready, row.stages)
            hits = selection.taken(max(KEPT, offset + limit))
            row.result_count = row.stages[-1]["output_count"]
            row.results = _named(plan.unit, hits[:KEPT])
            row.warnings = _warnings(ready.context, row.result_count)
    except Unavailable:
        raise  # it passes, and nothing is kept of it
    except DomainError as error:
        row.status, row.error = Execution.Status.FAILED, error.message
        row.duration_ms = _since(begun)
        row.save()
        error.details["execution_id"] = row.public_id
        raise
    row.duration_ms = _since(begun)
    row.save()
    return Ran(row, hits[offset : offset + limit], offset, limit)


def _warnings(context: Context, count: int) -> list[str]:
    if count <= KEPT:
        return context.warnings
    return [*context.warnings, f"{count:,} match; the first {KEPT:,} are kept and can be paged through."]


def selection_of(
    *,
    namespace: Namespace,
    plan: Plan,
    inputs: dict[str, Any] | None = None,
    narrowed: Any = None,
) -> Selection:
    """All that a search finds, without a record of it. `narrowed` maps the rows to search to fewer of them."""
    ready = _prepare(namespace, plan, inputs or {}, None)
    with tell_faults():
        return _run(ready, [], narrowed)


@dataclass(frozen=True)
class _Step:
    """A stage with its parameters, after all that it waits for; `waited`: how long that took, in milliseconds."""

    name: str
    stage: Stage
    parameters: dict[str, Any]
    waited: float


@dataclass(frozen=True)
class _Ready:
    """A search that only the database is needed for any more."""

    context: Context
    rows: QuerySet[Any]
    steps: list[_Step]


def _prepare(namespace: Namespace, plan: Plan, inputs: dict[str, Any], filters: Any) -> _Ready:
    """Fill in the inputs, and fetch and embed what is searched by: outside any transaction, as it may take minutes."""
    check_inputs(inputs, plan.input_schema)
    filled = [
        one | {"config": {**one["config"], "parameters": _filled(one, inputs, plan.input_schema)}}
        for one in plan.stages
    ]
    read, _ = read_stages(filled, unit=plan.unit)
    collections = [get_collection(namespace, ref) for ref in plan.collections]
    context = Context(namespace, plan.unit, collections or None)
    rows = rows_of_unit(namespace, plan.unit, collections)
    if plan.gone:
        rows = rows.filter(pk__in=[])
        context.warnings.append(
            f"{', '.join(plan.gone)} was deleted, which is all that this searched: it finds nothing. "
            "Name other collections in collection_identifiers, or none to search all."
        )
    rows = rows.filter(to_q(parse(fill(filters, inputs, plan.input_schema)), resolver(plan.unit)))
    return _Ready(context, rows, [_step(context, one) for one in read])


def _step(context: Context, read: dict[str, Any]) -> _Step:
    begun = time.perf_counter()
    stage, parameters = get_stage(read["config"]["stage_id"]), read["config"]["parameters"]
    if stage.prepare:
        parameters = stage.prepare(context, parameters)
    return _Step(read["stage_name"], stage, parameters, _since(begun))


def _run(ready: _Ready, told: list[dict[str, Any]], narrowed: Any = None) -> Selection:
    selection = Selection(narrowed(ready.rows) if narrowed else ready.rows)
    taken = selection.count()
    for step in ready.steps:
        begun = time.perf_counter()
        selection = step.stage.run(ready.context, selection, step.parameters)
        given = selection.count()
        told.append(
            {
                "stage_name": step.name,
                "stage_id": step.stage.id,
                "input_count": taken,
                "output_count": given,
                "duration_ms": round(step.waited + _since(begun), 3),
            }
        )
        taken = given
    return selection


def _filled(step: dict[str, Any], inputs: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    raw = step["config"]["parameters"]
    filled = fill(raw, inputs, schema) or {}
    # An input that may be left out and was: the parameter is as if it were not written.
    return {name: value for name, value in filled.items() if value is not None or raw[name] is None}


def rows_of_unit(namespace: Namespace, unit: str, collections: Sequence[Collection]) -> QuerySet[Any]:
    """The documents, or the current detections, of some collections, or of all."""
    scope: dict[str, Any] = (
        {"collection__in": collections} if collections else {"collection__namespace": namespace}
    )
    if unit == Unit.DETECTION:
        return Detection.objects.filter(current=True, **scope)
    return Document.objects.filter(**scope)


def _named(unit: str, hits: Sequence[Hit]) -> list[list[Any]]:
    """Hits as they are kept: public id, key, score, and the group where there are groups."""
    keys = [hit.key for hit in hits]
    if unit == Unit.DETECTION:
        rows: Any = Detection.objects.filter(pk__in=keys).annotate(ref=detection_id())
    else:
        rows = Document.objects.filter(pk__in=keys).annotate(ref=document_id())
    refs = dict(rows.values_list("pk", "ref"))
    return [[refs.get(hit.key, ""), hit.key, hit.score, hit.group] for hit in hits]


def page_of_execution(*, execution: Execution, limit: int, offset: int) -> Ran:
    """A page of what an execution found then, whatever has been added since."""
    if offset > len(execution.results):
        raise InvalidInput(f"This execution has {len(execution.results)} results.", field="pagination.cursor")
    kept = execution.results[offset : offset + limit]
    return Ran(execution, tuple(Hit(one[1], one[2], one[3]) for one in kept), offset, limit)


def _since(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1000, 3)
