"""Making a retriever in the browser, and what it asks for when it runs."""

from __future__ import annotations

import json
from typing import Any

from django import forms

from extraction.classes.models import ObjectClass
from extraction.runs.models import Collection
from extraction.search.choices import BY_CHANCE, ORDERS
from extraction.search.models import Unit
from extraction.search.stages.base import MOST_HITS
from mixcv.tenancy.models import Namespace


class JsonField(forms.CharField):
    """JSON of one kind as a text; its faults are told with their line."""

    widget = forms.Textarea

    def __init__(self, kind: type, words: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind, self.words = kind, words

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            read = json.loads(text or "null")
        except json.JSONDecodeError as error:
            raise forms.ValidationError(
                f"This is no JSON: line {error.lineno}, column {error.colno}: {error.msg}."
            ) from None
        except RecursionError:
            raise forms.ValidationError("This is nested too deeply.") from None
        if read is not None and not isinstance(read, self.kind):
            raise forms.ValidationError(self.words)
        return read


class RetrieverJsonForm(forms.Form):
    """A retriever as it is: its stages as the API takes them."""

    name = forms.CharField(label="Name", max_length=100)
    description = forms.CharField(label="Description", max_length=10_000, required=False)
    unit = forms.ChoiceField(label="Find", choices=[(Unit.DETECTION, "Boxes"), (Unit.DOCUMENT, "Images")])
    collections = forms.ModelMultipleChoiceField(
        Collection.objects.none(), label="In", required=False, help_text="None chosen: in all collections."
    )
    stages = JsonField(
        list,
        "The stages are a list: [{…}, {…}].",
        label="Stages",
        max_length=200_000,
        help_text="A list, run in its order. Each: stage_name, and config with stage_id and parameters.",
    )
    input_schema = JsonField(
        dict,
        "The inputs are an object: {…}.",
        label="Inputs",
        max_length=100_000,
        required=False,
        help_text="What it asks for when it runs: each name with type, required, default and description.",
    )

    def __init__(self, *args: Any, namespace: Namespace, gone: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        collections = self.fields["collections"]
        collections.queryset = Collection.objects.filter(namespace=namespace).order_by("name")  # type: ignore[attr-defined]
        if gone:
            collections.help_text = "Its own was deleted. None chosen: it goes on finding nothing."
        _dress(self)


def _dress(form: forms.Form) -> None:
    """Classes and, where there are faults, what assistive technology reads them by."""
    for name, field in form.fields.items():
        field.widget.attrs["class"] = "input"
        if isinstance(field, forms.FloatField):
            field.widget.attrs["step"] = "any"
        if isinstance(field, JsonField):
            field.widget.attrs |= {"class": "input code", "spellcheck": "false", "rows": "6"}
        if form.is_bound and name in form.errors:
            field.widget.attrs |= {"aria-invalid": "true", "aria-describedby": f"{name}-error"}


class RetrieverForm(forms.Form):
    """A retriever from simple choices."""

    name = forms.CharField(label="Name", max_length=100)
    unit = forms.ChoiceField(
        label="Find",
        choices=[(Unit.DETECTION, "Boxes"), (Unit.DOCUMENT, "Images")],
        help_text="Of an image, each condition may be met by another of its boxes.",
    )
    collections = forms.ModelMultipleChoiceField(
        Collection.objects.none(), label="In", required=False, help_text="None chosen: in all collections."
    )
    above = forms.FloatField(label="Confidence from", min_value=0, max_value=1, required=False)
    below = forms.FloatField(label="Confidence below", min_value=0, max_value=1, required=False)
    class_name = forms.ChoiceField(label="Class", required=False)
    decided = forms.ChoiceField(
        label="Decided", choices=[("", "Either"), ("open", "Not yet"), ("decided", "Decided")], required=False
    )
    field = forms.CharField(
        label="Metadata field", max_length=150, required=False, help_text="As in camera_id."
    )
    value = forms.CharField(label="Its value", max_length=200, required=False)
    order = forms.ChoiceField(
        label="Order",
        choices=[
            ("", "As they came"),
            *((key, one[0]) for key, one in ORDERS.items()),
            (BY_CHANCE, "By chance"),
        ],
        required=False,
    )
    most = forms.IntegerField(label="At most", min_value=1, max_value=MOST_HITS, required=False)

    def __init__(self, *args: Any, namespace: Namespace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        collections = Collection.objects.filter(namespace=namespace).order_by("name")
        classes = ObjectClass.objects.filter(namespace=namespace, merged_into=None).order_by("name")
        self.fields["collections"].queryset = collections  # type: ignore[attr-defined]
        self.fields["class_name"].choices = [  # type: ignore[attr-defined]
            ("", "Any"),
            *((name, name) for name in classes.values_list("name", flat=True)[:1000]),
        ]
        _dress(self)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if bool(data.get("field")) != bool(data.get("value")):
            self.add_error("value", "A metadata field and its value go together.")
        above, below = data.get("above"), data.get("below")
        if above is not None and below is not None and above >= below:
            self.add_error("below", "Nothing lies from the one and below the other.")
        return data
