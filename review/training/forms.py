"""Starting a run in the browser."""

from __future__ import annotations

from typing import Any

from django import forms

from extraction.packages.models import ExtractorVersion
from mixcv.tenancy.models import Namespace
from review.datasets.models import DatasetVersion
from review.training.process.recipe import AUGMENTATIONS
from review.training.queries import base_versions, trainable_versions
from review.training.settings import DEVICE, LARGEST_IMAGE, LARGEST_SEED, MOST_BATCH, MOST_EPOCHS, Settings

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


class TrainingForm(forms.Form):
    """What to train on, from what, and how."""

    dataset_version = _Datasets(DatasetVersion.objects.none(), label="Train on", empty_label=None)
    base_version = _Bases(ExtractorVersion.objects.none(), label="Start from", empty_label=None)
    epochs = forms.IntegerField(
        min_value=1, max_value=MOST_EPOCHS, initial=_USUAL.epochs, help_text="At most; see patience."
    )
    image_size = forms.IntegerField(
        label="Image size, px",
        required=False,
        help_text="Empty: that of the base.",
        widget=forms.NumberInput(attrs={"min": 64, "max": LARGEST_IMAGE, "step": 32}),
    )
    batch = forms.IntegerField(
        label="Batch", min_value=-1, max_value=MOST_BATCH, initial=_USUAL.batch, help_text="-1: CUDA chooses."
    )
    augmentation = forms.ChoiceField(
        choices=[(key, _AUGMENTATION_TEXTS[key]) for key in AUGMENTATIONS], initial=_USUAL.augmentation
    )
    patience = forms.IntegerField(
        min_value=0,
        max_value=MOST_EPOCHS,
        initial=_USUAL.patience,
        help_text="Ends after so many epochs without getting better. 0: never.",
    )
    freeze = forms.IntegerField(
        min_value=0,
        max_value=1000,
        initial=_USUAL.freeze,
        help_text="So many of the first layers stay as they are.",
    )
    seed = forms.IntegerField(min_value=0, max_value=LARGEST_SEED, initial=_USUAL.seed)
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

    def clean_image_size(self) -> int | None:
        size: int | None = self.cleaned_data["image_size"]
        if size is not None and (not 64 <= size <= LARGEST_IMAGE or size % 32):
            raise forms.ValidationError(f"must be a multiple of 32 from 64 to {LARGEST_IMAGE:,} pixels")
        return size

    def clean_device(self) -> str:
        device: str = self.cleaned_data["device"]
        if not DEVICE.fullmatch(device):
            raise forms.ValidationError(
                f"device is {device!r}; it must be auto, cpu, mps, cuda or cuda:0 and so on."
            )
        return device

    def settings(self) -> dict[str, Any]:
        data = self.cleaned_data
        names = ("epochs", "image_size", "batch", "augmentation", "patience", "freeze", "seed", "device")
        return {name: data[name] for name in names}
