"""Forms of the pages of detectors and models."""

from __future__ import annotations

from typing import Any

from django import forms


class ModelForm(forms.Form):
    """Weights for the registry. What they may be, their verb decides."""

    file = forms.FileField(label="File")
    name = forms.CharField(
        label="Name", max_length=64, help_text="The same name for all versions, such as yolo-detector."
    )
    version = forms.CharField(label="Version", max_length=20, help_text="Three numbers, such as 2.0.0.")
    task_type = forms.CharField(label="Task", max_length=40, required=False, initial="detection")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if name != "file":
                field.widget.attrs["class"] = "input"
            if self.is_bound and name in self.errors:
                field.widget.attrs |= {"aria-invalid": "true", "aria-describedby": f"{name}-error"}
