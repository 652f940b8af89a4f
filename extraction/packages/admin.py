"""Extractors and their versions, with the three switches that matter."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from extraction.packages.domain import deploy, deploy_model, promote, retire, undeploy
from extraction.packages.models import (
    Deployment,
    Extractor,
    ExtractorVersion,
    ModelUse,
    ProductionChange,
    RegistryModel,
)
from mixcv.kernel.admin import ReadOnlyAdmin
from mixcv.tenancy.request import actor_of


@admin.register(Extractor)
class ExtractorAdmin(ReadOnlyAdmin[Extractor]):
    list_display = ("name", "namespace", "production", "created_at")
    list_select_related = ("namespace", "production__extractor")
    list_filter = ("namespace",)
    search_fields = ("name",)


@admin.register(ExtractorVersion)
class ExtractorVersionAdmin(ReadOnlyAdmin[ExtractorVersion]):
    list_display = (
        "public_id",
        "extractor",
        "version",
        "state",
        "in_production",
        "warned",
        "deployed_at",
        "created_at",
    )
    list_select_related = ("extractor__namespace",)
    list_filter = ("state", "extractor__namespace")
    search_fields = ("public_id", "extractor__name")
    ordering = ("-id",)
    actions = ("deploy", "undeploy", "retire", "promote")

    @admin.display(description="In production")
    def in_production(self, row: ExtractorVersion) -> str:
        return "yes" if row.extractor.production_id == row.pk else "–"

    @admin.action(description="Deploy the chosen versions", permissions=["run"])
    def deploy(self, request: HttpRequest, rows: QuerySet[ExtractorVersion]) -> None:
        self.run_each(
            request, rows, lambda row: deploy(version=row, by=actor_of(request)), "is being deployed"
        )

    @admin.display(description="Runs otherwise than asked")
    def warned(self, row: ExtractorVersion) -> str:
        return " ".join(row.warnings) or "–"

    @admin.action(description="Undeploy the chosen versions", permissions=["run"])
    def undeploy(self, request: HttpRequest, rows: QuerySet[ExtractorVersion]) -> None:
        self.run_each(
            request, rows, lambda row: undeploy(version=row, by=actor_of(request)), "is not deployed any more"
        )

    @admin.action(description="Retire the chosen versions", permissions=["run"])
    def retire(self, request: HttpRequest, rows: QuerySet[ExtractorVersion]) -> None:
        self.run_each(request, rows, lambda row: retire(version=row, by=actor_of(request)), "is retired")

    @admin.action(description="Put the chosen version into production", permissions=["run"])
    def promote(self, request: HttpRequest, rows: QuerySet[ExtractorVersion]) -> None:
        self.run_each(
            request,
            rows,
            lambda row: promote(version=row, by=actor_of(request), reason="by hand in the admin"),
            "is in production",
        )


@admin.register(Deployment)
class DeploymentAdmin(ReadOnlyAdmin[Deployment]):
    list_display = ("extractor_version", "actor", "started_at", "finished_at", "error")
    list_select_related = ("extractor_version__extractor",)
    search_fields = ("extractor_version__public_id",)


@admin.register(ProductionChange)
class ProductionChangeAdmin(ReadOnlyAdmin[ProductionChange]):
    list_display = ("extractor", "version", "actor", "reason", "changed_at")
    list_select_related = ("extractor", "version__extractor")
    search_fields = ("extractor__name",)


@admin.register(RegistryModel)
class RegistryModelAdmin(ReadOnlyAdmin[RegistryModel]):
    list_display = ("public_id", "namespace", "model_format", "task_type", "state", "error", "created_at")
    list_select_related = ("namespace",)
    list_filter = ("state", "namespace")
    search_fields = ("public_id", "name")
    ordering = ("-id",)
    actions = ("deploy",)

    @admin.action(description="Deploy the chosen models", permissions=["run"])
    def deploy(self, request: HttpRequest, rows: QuerySet[RegistryModel]) -> None:
        self.run_each(
            request, rows, lambda row: deploy_model(model=row, by=actor_of(request)), "is being deployed"
        )


@admin.register(ModelUse)
class ModelUseAdmin(ReadOnlyAdmin[ModelUse]):
    list_display = ("extractor_version", "model", "first_at")
    list_select_related = ("extractor_version__extractor", "model")
    search_fields = ("model__public_id", "extractor_version__public_id")
