"""Request bodies: every fault at once, unknown keys refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses keys that it does not know, naming those it does. `tolerated`: sent by clients, of no effect here."""

    tolerated: ClassVar[frozenset[str]] = frozenset()

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            message = f"A JSON object is wanted here; this is {type(data).__name__}."
            raise serializers.ValidationError({"non_field_errors": [message]})
        known = {name for name, field in self.fields.items() if not field.read_only}
        faults: dict[str, Any] = {
            name: [ErrorDetail(f"Unknown key. Accepted: {', '.join(sorted(known))}.", code="extra_forbidden")]
            for name in sorted(set(data) - known - self.tolerated)
        }
        faults |= _numbers_for_text(self.fields, data)
        if not faults:
            return super().to_internal_value(data)
        try:
            super().to_internal_value(data)
        except serializers.ValidationError as error:
            if isinstance(error.detail, dict):
                faults |= {name: fault for name, fault in error.detail.items() if name not in faults}
        raise serializers.ValidationError(faults)


def _numbers_for_text(fields: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Faults of numbers that stand where text is wanted; DRF would make text of them in silence."""
    faults: dict[str, Any] = {}
    for name, field in fields.items():
        value = data.get(name)
        many = isinstance(field, serializers.ListField) and isinstance(field.child, serializers.CharField)
        values = value if many and isinstance(value, list) else [value]
        wrong = [one for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
        if wrong and (many or isinstance(field, serializers.CharField)):
            faults[name] = [ErrorDetail(f"{str(wrong[0])[:40]} is a number; text is wanted.", code="invalid")]
    return faults


def or_empty(data: Any) -> Any:
    """A body that may be left out: none at all counts as an empty object, anything else is checked."""
    return {} if data is None else data
