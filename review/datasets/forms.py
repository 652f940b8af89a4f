"""A dataset in the browser: its name, and its policy in percent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from extraction.intake.models import Bucket
from extraction.packages.models import Extractor
from mixcv.tenancy.models import Namespace
from review.datasets.policy import LARGEST_SEED


class PolicyForm(forms.Form):
    """The policy; shares are percentages here."""

    buckets = forms.ModelMultipleChoiceField(
        Bucket.objects.none(),
        label="Images of",
        required=False,
        to_field_name="public_id",
        help_text="None chosen: all buckets.",
    )
    accept_above = forms.FloatField(
        label="Accept detections from",
        min_value=0,
        max_value=1,
        required=False,
        help_text="A confidence. Empty: only images that people reviewed whole.",
    )
    background = forms.FloatField(label="Background at most, %", min_value=0, max_value=100)
    validation = forms.FloatField(
        label="To validation, %",
        min_value=0,
        max_value=50,
        help_text="Of the training images, by group, beside the holdout.",
    )
    seed = forms.IntegerField(
        label="Seed", min_value=0, max_value=LARGEST_SEED, help_text="Decides what is drawn by chance."
    )
    only_included = forms.BooleanField(label="Nothing but images added one by one", required=False)

    def __init__(self, *args: Any, namespace: Namespace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["buckets"].queryset = Bucket.objects.filter(namespace=namespace)  # type: ignore[attr-defined]
        for name, field in self.fields.items():
            if name != "only_included":
                field.widget.attrs["class"] = "input"

    def policy(self) -> dict[str, Any]:
        """What was chosen, in the policy's own form."""
        data = self.cleaned_data
        return {
            "buckets": [bucket.public_id for bucket in data["buckets"]],
            "accept_above": data["accept_above"],
            "background_share": data["background"] / 100,
            "validation_share": data["validation"] / 100,
            "seed": data["seed"],
            "only_included": data["only_included"],
        }


def shown(policy: Mapping[str, Any]) -> dict[str, Any]:
    """A policy as the form shows it."""
    return {
        **policy,
        "background": round(policy["background_share"] * 100, 4),
        "validation": round(policy["validation_share"] * 100, 4),
    }


class DatasetForm(PolicyForm):
    """A new dataset."""

    name = forms.CharField(label="Name", max_length=100)
    extractor = forms.ModelChoiceField(
        Extractor.objects.none(),
        label="To train",
        to_field_name="name",
        empty_label=None,
        help_text="The detector whose classes count.",
    )

    field_order = ("name", "extractor")

    def __init__(self, *args: Any, namespace: Namespace, **kwargs: Any) -> None:
        super().__init__(*args, namespace=namespace, **kwargs)
        self.fields["extractor"].queryset = Extractor.objects.filter(namespace=namespace)  # type: ignore[attr-defined]
