"""What a search is, read from JSON: its stages in one form, its inputs, and what single results it returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from extraction.intake.schema import check_json
from extraction.search.models import Unit
from extraction.search.stages import get_stage, stages
from mixcv.kernel.errors import InvalidInput

MOST_STAGES = 20
STAGE_TYPES = ("filter", "sort", "reduce", "apply", "enrich")
INPUT_TYPES = (
    *("string", "number", "integer", "float", "boolean", "object", "array", "date", "datetime", "text"),
    *("image", "audio", "video", "pdf", "excel", "document_reference"),
)
_KEYS = ("stage_name", "stage_type", "config", "stage_id", "parameters", "description")
_TOLERATED = ("batch_size", "on_error", "output_alias", "name", "type")
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "text": (str,),
    "number": (int, float),
    "float": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "date": (str,),
    "datetime": (str,),
}


def read_stages(raw: Any, *, unit: str | None = None) -> tuple[list[dict[str, Any]], str]:
    """The stages in their one form, and the unit of the results: as given, as a stage's parameters say, or documents.

    A stage is `{stage_name, stage_type, config: {stage_id, parameters}}`; `stage_id` and `parameters` may stand at its
    top, and `{type, …parameters}` is one too. Raises InvalidInput.
    """
    if not isinstance(raw, list) or not raw:
        _fault("stages", f"A search has 1 to {MOST_STAGES} stages. There are: {_known()}.")
    if len(raw) > MOST_STAGES:
        _fault("stages", f"A search has at most {MOST_STAGES} stages; this has {len(raw)}.")
    check_json(raw, field="stages")
    read = [_read(one, f"stages.{number}") for number, one in enumerate(raw)]
    names = [one["stage_name"] for one in read]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        _fault("stages", f"Two stages are called {twice[0]}; each has a name of its own.")
    unit = _unit(read, unit)
    for number, one in enumerate(read):
        place = f"stages.{number}.config.parameters"
        get_stage(one["config"]["stage_id"]).check(one["config"]["parameters"], unit=unit, place=place)
    return read, unit


def _read(raw: Any, place: str) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        _fault(place, "A stage is an object {stage_name, config: {stage_id, parameters}}.")
    config = raw.get("config")
    if config is not None and not isinstance(config, Mapping):
        _fault(f"{place}.config", "config is an object {stage_id, parameters}.")
    if config is None and "stage_id" not in raw and isinstance(raw.get("type"), str):
        flat = {key: value for key, value in raw.items() if key not in {"type", "stage_name", "name"}}
        raw = {
            "stage_name": raw.get("stage_name") or raw.get("name"),
            "stage_id": raw["type"],
            "parameters": flat,
        }
    _refuse_unknown(raw, _KEYS + _TOLERATED, _KEYS, place)
    if config:
        _refuse_unknown(config, ("stage_id", "parameters"), ("stage_id", "parameters"), f"{place}.config")
    source = config or raw
    stage = get_stage(source.get("stage_id") or raw.get("stage_id"), f"{place}.config.stage_id")
    parameters = source.get("parameters")
    parameters = raw.get("parameters") if parameters is None else parameters
    if parameters is not None and not isinstance(parameters, Mapping):
        _fault(f"{place}.config.parameters", "parameters is an object.")
    wanted = raw.get("stage_type")
    if wanted is not None and wanted not in STAGE_TYPES:
        _fault(f"{place}.stage_type", f"stage_type is one of {', '.join(STAGE_TYPES)}.")
    read: dict[str, Any] = {
        "stage_name": _name(raw.get("stage_name") or raw.get("name") or stage.id, place),
        "stage_type": stage.category,
        "config": {"stage_id": stage.id, "parameters": dict(parameters or {})},
    }
    if isinstance(raw.get("description"), str):
        read["description"] = raw["description"][:1000]
    return read


def _refuse_unknown(raw: Mapping[str, Any], known: Any, named: Any, place: str) -> None:
    extra = sorted(str(key)[:60] for key in set(raw) - set(known))
    if extra:
        _fault(f"{place}.{extra[0]}", f"Unknown key {', '.join(extra)}. Accepted: {', '.join(named)}.")


def _name(raw: Any, place: str) -> str:
    if not isinstance(raw, str) or not 0 < len(raw) <= 100:
        _fault(f"{place}.stage_name", "A stage's name has 1 to 100 characters.")
    return raw


def _unit(read: list[dict[str, Any]], wanted: str | None) -> str:
    named = {one["config"]["parameters"].get("unit") for one in read} | {wanted}
    named -= {None}
    if len(named) > 1:
        _fault("stages", "The stages name two units: a search returns documents or detections, not both.")
    unit = named.pop() if named else Unit.DOCUMENT.value
    if unit not in Unit.values:
        _fault("unit", f"unit is {str(unit)[:40]!r}; it must be one of {', '.join(Unit.values)}.")
    return str(unit)


def _known() -> str:
    return ", ".join(stage.id for stage in stages)


def read_schema(raw: Any) -> dict[str, Any]:
    """An input schema as a flat map: `{name: {type, required, default, description}}`; it may come in `properties`."""
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        _fault("input_schema", "input_schema maps each input to {type, required, default, description}.")
    inner, listed = raw.get("properties"), raw.get("required")
    if isinstance(inner, Mapping) and (len(raw) == 1 or "type" in raw or "required" in raw):
        required = listed if isinstance(listed, list) else []
        raw = {
            name: {"required": name in required, **one} if isinstance(one, Mapping) else one
            for name, one in inner.items()
        }
    if len(raw) > 100:
        _fault("input_schema", "A search has at most 100 inputs.")
    return {str(name): _input(one, f"input_schema.{name}") for name, one in raw.items()}


def _input(raw: Any, place: str) -> dict[str, Any]:
    if isinstance(raw, str):
        raw = {"type": raw}
    if not isinstance(raw, Mapping):
        _fault(place, "An input is an object {type, required, default, description}.")
    kind = raw.get("type", "text")
    if kind not in INPUT_TYPES:
        _fault(
            f"{place}.type",
            f"There is no input type {str(kind)[:40]!r}. There are: {', '.join(INPUT_TYPES)}.",
        )
    if not isinstance(raw.get("required", False), bool):
        _fault(f"{place}.required", "required is true or false.")
    return dict(raw)


def check_inputs(inputs: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Raises InvalidInput for an input that is required and missing, or of another type than the schema says."""
    for name, wanted in schema.items():
        value = inputs.get(name)
        if value is None:
            if wanted.get("required") and wanted.get("default") is None:
                _fault(f"inputs.{name}", f"The input {name} is missing.")
            continue
        kinds = _KINDS.get(wanted.get("type", "text"))
        if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
            _fault(
                f"inputs.{name}", f"The input {name} is {str(value)[:60]!r}; it must be a {wanted['type']}."
            )


def _fault(place: str, message: str) -> NoReturn:
    raise InvalidInput(message, field=place)
