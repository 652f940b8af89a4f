"""Forms of the images pages."""

from __future__ import annotations

from django import forms


class BucketForm(forms.Form):
    """A new bucket. What a name may be, its verb decides."""

    name = forms.CharField(
        max_length=100,
        label="Name",
        widget=forms.TextInput(attrs={"class": "input", "placeholder": "For example: yard cameras"}),
    )
    split_key = forms.CharField(
        max_length=100,
        required=False,
        label="Keep together by",
        help_text="A metadata key like camera_id: images of one value all go into training, or all into the holdout.",
        widget=forms.TextInput(attrs={"class": "input"}),
    )
