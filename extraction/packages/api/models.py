"""`/v1/models`: weights by name and version, which extractors load."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.intake.presigned import presigned_url
from extraction.packages import domain, presenters
from extraction.packages.api import answers, bodies
from extraction.packages.api.plugins import renamed
from extraction.packages.downloads import download_url, file_name
from extraction.packages.models import RegistryModel
from extraction.packages.queries import get_model, models_of
from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.listing import ListBody, Listing
from mixcv.kernel.operations import operation
from mixcv.tenancy.api_auth import NamespacedView

MODELS = Listing(
    columns={
        "model_id": "public_id",
        "name": "name",
        "version": "version",
        "model_format": "model_format",
        "framework": "framework",
        "task_type": "task_type",
        "state": "state",
        "created_at": "created_at",
        "updated_at": "updated_at",
    },
    search=("public_id", "name", "description"),
    order="-created_at",
    total_name="total",
)
MODELS_ANSWER = answers.list_answer(
    "ModelList", "models", answers.ModelAnswer, organization_id=serializers.CharField()
)
ORGANIZATION = "mixcv"
MODEL_ID = "yolo-detector_2_0_0"


class Models(NamespacedView):
    tag = "Models"

    @operation(
        "list_models",
        "The models of the namespace's registry, newest first.",
        listing=MODELS,
        answer=MODELS_ANSWER,
        answer_example={"models": [], "total": 0, "namespace_id": "ns_demo"},
    )
    def get(self, request: Request) -> Response:
        return Response(self.page(request))

    @operation(
        "create_model",
        "Send weights at once, as .tar.gz or one file. Deploy the model next.",
        multipart=bodies.ModelForm,
        answer=answers.ModelUploadedAnswer,
        creates=True,
        example={"name": "yolo-detector", "version": "2.0.0", "file": "weights.tar.gz"},
    )
    def post(self, request: Request) -> Response:
        form = bodies.read_form(request, bodies.ModelForm)
        gigabytes = form.pop("memory_gb", None)
        resources: dict[str, Any] = {
            name: form.pop(name) for name in ("num_cpus", "num_gpus") if name in form
        }
        if gigabytes is not None:
            resources["memory"] = int(gigabytes * 2**30)
        model = domain.add_model(namespace=self.namespace, resources=resources, by=self.actor, **form)
        shown = presenters.model(model)
        wanted = ("model_id", "deployment_status", "endpoint", "model_archive_url")
        return Response({"success": True, **{name: shown[name] for name in wanted}})

    def page(self, request: Request) -> dict[str, Any]:
        body = MODELS.page(models_of(self.namespace), presenters.model, request, self.data)
        ids = {"namespace_id": self.namespace.public_id, "organization_id": ORGANIZATION}
        return {**ids, **renamed(body, "models")}


class ModelList(Models):
    http_method_names = ["post", "options"]

    @operation(
        "search_models",
        "The models of the namespace's registry, by filters, search and sort.",
        body=ListBody,
        body_optional=True,
        listing=MODELS,
        answer=MODELS_ANSWER,
        scope="read",
        example={"filters": {"field": "task_type", "operator": "eq", "value": "detection"}},
    )
    def post(self, request: Request) -> Response:
        return Response(self.page(request))


class Uploads(NamespacedView):
    tag = "Models"

    @operation(
        "create_model_upload",
        "Ask for a signed address to PUT weights to; confirming it makes the model.",
        body=bodies.ModelUploadBody,
        answer=answers.ModelUploadAnswer,
        creates=True,
        example={"name": "yolo-detector", "version": "2.0.0", "model_format": "pytorch"},
    )
    def post(self, request: Request) -> Response:
        data = self.data
        upload = domain.ask_for_model(
            namespace=self.namespace,
            name=data["name"],
            version=data["version"],
            file_name=data.get("file_name") or "",
            expires_in=data["presigned_url_expiration"],
            by=self.actor,
            model_format=data["model_format"],
            framework=data.get("framework") or "",
            task_type=data.get("task_type") or "",
            description=data.get("description") or "",
            resources={k: v for k, v in (data.get("resource_requirements") or {}).items() if v is not None},
        )
        return Response(
            {
                "upload_id": upload.public_id,
                "presigned_url": presigned_url(request._request, upload),
                "s3_key": f"uploads/{upload.public_id}/{upload.filename}",
                "expires_at": upload.expires_at,
                "organization_id": ORGANIZATION,
                "namespace_id": self.namespace.public_id,
                "name": upload.params["name"],
                "version": upload.params["version"],
                "model_format": upload.params["model_format"],
            }
        )


class ConfirmUpload(NamespacedView):
    tag = "Models"

    @operation(
        "confirm_model_upload",
        "The weights are there: see that they are what they say, and make the model.",
        body=bodies.ArchiveConfirmBody,
        body_optional=True,
        answer=answers.ModelConfirmedAnswer,
        creates=True,
        example={"file_size_bytes": 6_534_387},
    )
    def post(self, request: Request, upload_id: str) -> Response:
        model: RegistryModel | None = None
        faults, message = [], ""
        try:
            model = domain.confirm_model(
                namespace=self.namespace,
                ref=upload_id,
                file_size_bytes=self.data.get("file_size_bytes"),
                etag=self.data.get("etag"),
                by=self.actor,
            )
        except InvalidInput as error:
            if error.field != "file":
                raise
            faults, message = [error.message], error.message
        return Response(
            {
                "success": model is not None,
                "upload_id": upload_id,
                "model_id": model.public_id if model else "",
                "validation_status": "passed" if model else "failed",
                "validation_errors": faults,
                "deployment_status": "not_deployed",
                "message": message or f"{model} is registered. Deploy it next.",
            }
        )


class OneModel(NamespacedView):
    tag = "Models"

    @operation(
        "get_model",
        "A model with its state and the weights it holds.",
        answer=answers.OneModelAnswer,
        answer_example={"model": {"model_id": MODEL_ID}},
    )
    def get(self, request: Request, model_id: str) -> Response:
        return Response({"model": presenters.model(get_model(self.namespace, model_id))})

    @operation(
        "delete_model",
        "Delete a model that no version in use needs.",
        answer=answers.ModelDeletedAnswer,
        answer_example={"success": True, "model_id": MODEL_ID, "message": "It is deleted."},
    )
    def delete(self, request: Request, model_id: str) -> Response:
        model = get_model(self.namespace, model_id)
        ref = model.public_id
        domain.delete_model(model=model, by=self.actor)
        return Response({"success": True, "model_id": ref, "message": f"{ref} is deleted."})


class DownloadModel(NamespacedView):
    tag = "Models"

    @operation(
        "download_model",
        "A signed address from which the model's archive can be fetched for an hour, without a key.",
        answer=answers.ModelDownloadAnswer,
        answer_example={
            "model_id": MODEL_ID,
            "download_url": "https://mixcv.example/archives/7/weights.tar.gz?expires=1777000000&signature=0a1b",
            "filename": "weights.tar.gz",
        },
    )
    def get(self, request: Request, model_id: str) -> Response:
        model = get_model(self.namespace, model_id)
        name = file_name(model)
        url, ends = download_url(request._request, model.archive, name)
        return Response(
            {
                "model_id": model.public_id,
                "download_url": url,
                "expires_at": ends,
                "filename": name,
                "size_bytes": model.archive.size,
                "model_hash": model.archive.sha256,
            }
        )


class DeployModel(NamespacedView):
    tag = "Models"

    @operation(
        "deploy_model",
        "Ask a worker to unpack the model where extractors load it; it says which weights it holds.",
        answer=answers.ModelDeployedAnswer,
        answer_example={"success": True, "model_id": MODEL_ID, "deployment_status": "pending"},
    )
    def post(self, request: Request, model_id: str) -> Response:
        model = domain.deploy_model(model=get_model(self.namespace, model_id), by=self.actor)
        shown = presenters.model(model)
        wish = " num_gpus is a wish: it runs on what the extractor's host has."
        return Response(
            {
                "success": True,
                "model_id": model.public_id,
                "namespace_id": self.namespace.public_id,
                "deployment_status": shown["deployment_status"],
                "message": f"{model} waits for a worker." + (wish if model.resources.get("num_gpus") else ""),
            }
        )
