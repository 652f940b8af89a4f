"""Starting an evaluation, and what a promotion asks of the person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from extraction.packages.models import ExtractorVersion
from mixcv.tenancy.models import Namespace
from review.datasets.models import DatasetVersion
from review.evaluation.domain import MOST_VERSIONS
from review.evaluation.domain.starting import LOWEST
from review.evaluation.overview import measurable, ready_versions, worth_measuring


class EvaluationForm(forms.Form):
    """Which versions, on which holdout. All choices come from two reads."""

    dataset_version = forms.ChoiceField(label="On the holdout of")
    versions = forms.MultipleChoiceField(
        label="Versions",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": f"Choose 1 to {MOST_VERSIONS} versions."},
    )
    threshold = forms.FloatField(
        label="Working threshold",
        required=False,
        min_value=LOWEST,
        max_value=1,
        help_text="From which confidence a box counts in precision, recall and the matrix. Empty: each version’s own.",
    )

    def __init__(self, *args: Any, namespace: Namespace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.held, self.ready = measurable(namespace), ready_versions(namespace)
        self.fields["dataset_version"].choices = [  # type: ignore[attr-defined]
            (str(row.pk), f"{row}: {row.held:,} image{'' if row.held == 1 else 's'}")  # type: ignore[attr-defined]
            for row in self.held
        ]
        self.fields["versions"].choices = [(row.public_id, self._label(row)) for row in self.ready]  # type: ignore[attr-defined]
        for name in ("dataset_version", "threshold"):
            self.fields[name].widget.attrs["class"] = "input"

    @staticmethod
    def _label(row: ExtractorVersion) -> str:
        return f"{row} (production)" if row.extractor.production_id == row.pk else str(row)

    def usual(self, asked: Sequence[str] = ()) -> dict[str, Any]:
        """The newest holdout, and of its extractor the version in production and the newest that is worth
        measuring beside it; or those asked for."""
        wanted = [row for row in self.ready if row.public_id in asked]
        held = self.held
        if wanted:
            extractors = {row.extractor_id for row in wanted}
            held = [row for row in self.held if row.dataset.extractor_id in extractors] or self.held
        if not held:
            return {}
        mine = [row for row in self.ready if row.extractor_id == held[0].dataset.extractor_id]
        serving = [row for row in mine if row.extractor.production_id == row.pk]
        others = [row for row in mine if row not in serving]
        chosen = wanted or [*serving, *worth_measuring(others, serving[0] if serving else None, held[0])[:1]]
        return {"dataset_version": str(held[0].pk), "versions": [row.public_id for row in chosen]}

    def chosen(self) -> tuple[DatasetVersion, list[ExtractorVersion]]:
        """After validation: the rows, the one in production first."""
        data = self.cleaned_data
        held = next(row for row in self.held if str(row.pk) == data["dataset_version"])
        versions = [row for row in self.ready if row.public_id in data["versions"]]
        versions.sort(key=lambda row: (row.extractor.production_id != row.pk, row.created_at))
        return held, versions


class ReasonForm(forms.Form):
    """Why a version goes into production, or back."""

    reason = forms.CharField(max_length=1000, required=False)
    override = forms.BooleanField(required=False)
