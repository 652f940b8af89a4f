"""Starting a run in the browser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms

from extraction.packages.models import ExtractorVersion
from mixcv.tenancy.models import Namespace
from review.datasets.models import DatasetVersion
from review.training.process.recipe import AUGMENTATIONS
from review.training.queries import base_versions, trainable_versions
from review.training.settings import BOUNDS, IMAGE_SIZES, MOST_BATCH, Settings, faults_of

_USUAL = Settings()
_AUGMENTATION_TEXTS = {
    "none": "None",
    "light": "Light: no flips, as for digits and signs",
    "normal": "Normal: flips left to right",
    "strong": "Strong: for few images of many looks",
}


class _Datasets(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.dataset.name} {obj.number}: {obj.image_count:,} images for {obj.dataset.extractor.name}"


class _Bases(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Any) -> str:
        serving = " (production)" if obj.extractor.production_id == obj.pk else ""
        return f"{obj.extractor.name} {obj.version}{serving}"


def _whole(name: str, **kwargs: Any) -> forms.IntegerField:
    """A field of a bounded setting. The browser is told the bounds; `faults_of` says in words what breaks them."""
    least, most = BOUNDS[name]
    return forms.IntegerField(
        initial=getattr(_USUAL, name), widget=forms.NumberInput(attrs={"min": least, "max": most}), **kwargs
    )


class TrainingForm(forms.Form):
    """What to train on, from what, and how."""

    dataset_version = _Datasets(DatasetVersion.objects.none(), label="Train on", empty_label=None)
    base_version = _Bases(ExtractorVersion.objects.none(), label="Start from", empty_label=None)
    epochs = _whole("epochs", help_text="At most; see patience.")
    image_size = forms.IntegerField(
        label="Image size, px",
        required=False,
        help_text="Empty: that of the base.",
        widget=forms.NumberInput(attrs={"min": IMAGE_SIZES[0], "max": IMAGE_SIZES[1], "step": 32}),
    )
    batch = forms.IntegerField(
        initial=_USUAL.batch,
        help_text="-1: CUDA chooses.",
        widget=forms.NumberInput(attrs={"min": -1, "max": MOST_BATCH}),
    )
    augmentation = forms.ChoiceField(
        choices=[(key, _AUGMENTATION_TEXTS[key]) for key in AUGMENTATIONS], initial=_USUAL.augmentation
    )
    patience = _whole("patience", help_text="Ends after so many epochs without getting better. 0: never.")
    freeze = _whole("freeze", help_text="So many of the first layers stay as they are.")
    seed = _whole("seed")
    device = forms.CharField(
        max_length=20, initial=_USUAL.device, help_text="auto, cpu, mps, cuda or cuda:0 and so on."
    )
    base_weights = forms.CharField(
        label="Weights to start from",
        max_length=200,
        required=False,
        help_text="Only where the base loads its own: a file of the weights folder, or a model's id.",
    )

    BASIC = ("dataset_version", "base_version", "epochs", "image_size", "batch", "augmentation")
    ADVANCED = ("patience", "freeze", "seed", "device", "base_weights")

    def __init__(self, *args: Any, namespace: Namespace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.versions, self.bases = trainable_versions(namespace), base_versions(namespace)
        choices: dict[str, Any] = {"dataset_version": self.versions, "base_version": self.bases}
        for name, rows in choices.items():
            field: Any = self.fields[name]
            model = field.queryset.model
            field.queryset = model.objects.filter(pk__in=[row.pk for row in rows])
            # Shown from what is read already, in its order.
            field.choices = [(row.pk, field.label_from_instance(row)) for row in rows]
        for field in self.fields.values():
            field.widget.attrs["class"] = "input"

    @property
    def basic(self) -> list[forms.BoundField]:
        return [self[name] for name in self.BASIC]

    @property
    def advanced(self) -> list[forms.BoundField]:
        return [self[name] for name in self.ADVANCED]

    def clean(self) -> None:
        """Every fault of the settings at its own field."""
        given = {name: value for name, value in self.settings().items() if name in self.cleaned_data}
        for name, fault in faults_of(replace(_USUAL, **given)).items():
            if name not in self.errors:
                self.add_error(name, fault)

    def settings(self) -> dict[str, Any]:
        data = self.cleaned_data
        names = ("epochs", "image_size", "batch", "augmentation", "patience", "freeze", "seed", "device")
        return {name: data.get(name) for name in names}
