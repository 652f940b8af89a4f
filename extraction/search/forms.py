"""Making a retriever in the browser, and what it asks for when it runs."""

from __future__ import annotations

from typing import Any

from django import forms

from extraction.classes.models import ObjectClass
from extraction.runs.models import Collection
from extraction.search.choices import BY_CHANCE, ORDERS
from extraction.search.models import Unit
from extraction.search.stages.base import MOST_HITS
from mixcv.tenancy.models import Namespace


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
        for name, field in self.fields.items():
            field.widget.attrs["class"] = "input"
            if isinstance(field, forms.FloatField):
                field.widget.attrs["step"] = "any"
            if self.is_bound and name in self.errors:
                field.widget.attrs |= {"aria-invalid": "true", "aria-describedby": f"{name}-error"}

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if bool(data.get("field")) != bool(data.get("value")):
            self.add_error("value", "A metadata field and its value go together.")
        above, below = data.get("above"), data.get("below")
        if above is not None and below is not None and above >= below:
            self.add_error("below", "Nothing lies from the one and below the other.")
        return data
