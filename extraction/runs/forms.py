"""Making a collection in the browser."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Case, F, When

from extraction.intake.models import Bucket
from extraction.packages.models import ExtractorVersion
from mixcv.tenancy.models import Namespace

_State = ExtractorVersion.State
# The list's first entry is the one that is chosen where nobody chooses.
_PLACE = Case(
    When(state=_State.READY, extractor__production=F("pk"), then=0),
    When(state=_State.READY, then=1),
    When(state=_State.FAILED, then=3),
    default=2,
)


class VersionField(forms.ModelChoiceField):  # type: ignore[type-arg,unused-ignore]
    """Versions by how ready they are; what is not up says so."""

    def label_from_instance(self, obj: ExtractorVersion) -> str:
        if obj.state == ExtractorVersion.State.READY:
            return f"{obj}, in production" if obj.pk == obj.extractor.production_id else str(obj)
        state = "not deployed" if obj.state == ExtractorVersion.State.REGISTERED else obj.get_state_display()
        return f"{obj}, {state.lower()}"


class CollectionForm(forms.Form):
    """One detector over one bucket."""

    name = forms.CharField(label="Name", min_length=3, max_length=100)
    version = VersionField(ExtractorVersion.objects.none(), label="Detector", empty_label=None)
    bucket = forms.ModelChoiceField(Bucket.objects.none(), label="Bucket", empty_label=None)

    def __init__(self, *args: Any, namespace: Namespace, chosen_bucket: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        versions = ExtractorVersion.objects.filter(extractor__namespace=namespace, retired_at=None)
        versions = versions.annotate(place=_PLACE).order_by("place", "extractor__name", "-pk")
        self.fields["version"].queryset = versions.select_related("extractor")  # type: ignore[attr-defined]
        buckets = Bucket.objects.filter(namespace=namespace)
        self.fields["bucket"].queryset = buckets  # type: ignore[attr-defined]
        if chosen_bucket and "\x00" not in chosen_bucket:
            self.initial["bucket"] = buckets.filter(public_id=chosen_bucket).first()
        for name, field in self.fields.items():
            field.widget.attrs["class"] = "input"
            if self.is_bound and name in self.errors:
                field.widget.attrs |= {"aria-invalid": "true", "aria-describedby": f"{name}-error"}
