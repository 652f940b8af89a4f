"""Making a collection in the browser."""

from __future__ import annotations

from typing import Any

from django import forms

from extraction.intake.models import Bucket
from extraction.packages.models import ExtractorVersion
from mixcv.tenancy.models import Namespace


class CollectionForm(forms.Form):
    """One detector over one bucket."""

    name = forms.CharField(label="Name", min_length=3, max_length=100)
    version = forms.ModelChoiceField(ExtractorVersion.objects.none(), label="Detector", empty_label=None)
    bucket = forms.ModelChoiceField(Bucket.objects.none(), label="Bucket", empty_label=None)

    def __init__(self, *args: Any, namespace: Namespace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        versions = ExtractorVersion.objects.filter(extractor__namespace=namespace, retired_at=None)
        self.fields["version"].queryset = versions.select_related("extractor")  # type: ignore[attr-defined]
        self.fields["bucket"].queryset = Bucket.objects.filter(namespace=namespace)  # type: ignore[attr-defined]
        for name, field in self.fields.items():
            field.widget.attrs["class"] = "input"
            if self.is_bound and name in self.errors:
                field.widget.attrs |= {"aria-invalid": "true", "aria-describedby": f"{name}-error"}
