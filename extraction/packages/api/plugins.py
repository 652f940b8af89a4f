"""`/v1/plugins`: packages with a detector's code, sent, checked, deployed."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.intake.presigned import presigned_url
from extraction.packages import domain, presenters
from extraction.packages.api import answers, bodies
from extraction.packages.downloads import download_url, file_name
from extraction.packages.models import ExtractorVersion
from extraction.packages.queries import get_model, get_version, latest_deployment, versions_of
from mixcv.kernel.listing import ListBody, Listing
from mixcv.kernel.operations import operation
from mixcv.tenancy.api_auth import NamespacedView

PLUGINS = Listing(
    columns={
        "plugin_id": "public_id",
        "name": "extractor__name",
        "version": "version",
        "state": "state",
        "created_at": "created_at",
        "deployed_at": "deployed_at",
    },
    search=("public_id", "extractor__name", "extractor__description"),
    order="-created_at",
    total_name="total",
)
PLUGINS_ANSWER = answers.list_answer(
    "PluginList", "plugins", answers.PluginAnswer, success=serializers.BooleanField()
)
UPLOAD = {"name": "yolo_detector", "version": "1.0.0", "file_size_bytes": 50_000}
PLUGIN_ID = "yolo_detector_1_0_0"


class Uploads(NamespacedView):
    tag = "Extractors"

    @operation(
        "create_plugin_upload",
        "Ask for a signed address to PUT a package's zip to; confirming it makes the extractor's version.",
        body=bodies.PluginUploadBody,
        answer=answers.PluginUploadAnswer,
        creates=True,
        example=UPLOAD,
    )
    def post(self, request: Request) -> Response:
        upload = domain.ask_for_package(
            namespace=self.namespace,
            name=self.data["name"],
            version=self.data["version"],
            description=self.data.get("description") or "",
            expires_in=self.data["presigned_url_expiration"],
            by=self.actor,
        )
        return Response(
            {
                "upload_id": upload.public_id,
                "presigned_url": presigned_url(request._request, upload),
                "s3_key": f"uploads/{upload.public_id}/{upload.filename}",
                "expires_at": upload.expires_at,
                "namespace_id": self.namespace.public_id,
                "name": upload.params["name"],
                "version": upload.params["version"],
            }
        )


class ConfirmUpload(NamespacedView):
    tag = "Extractors"

    @operation(
        "confirm_plugin_upload",
        "The zip is there: look its manifest and code over, and make the version. Faults are listed in the answer.",
        body=bodies.ArchiveConfirmBody,
        body_optional=True,
        answer=answers.PluginConfirmedAnswer,
        creates=True,
        example={"file_size_bytes": 48_211},
    )
    def post(self, request: Request, upload_id: str) -> Response:
        size = self.data.get("file_size_bytes")
        try:
            version = domain.confirm_package(
                namespace=self.namespace,
                ref=upload_id,
                file_size_bytes=size,
                etag=self.data.get("etag"),
                by=self.actor,
            )
        except domain.InvalidPackage as error:
            return Response(_refused(error, upload_id))
        return Response(_taken(version, upload_id))


class Plugins(NamespacedView):
    tag = "Extractors"

    @operation(
        "list_plugins",
        "The extractors' versions of the namespace, newest first.",
        listing=PLUGINS,
        answer=PLUGINS_ANSWER,
        answer_example={"plugins": [], "total": 0, "namespace_id": "ns_demo"},
    )
    def get(self, request: Request) -> Response:
        return Response(self.page(request))

    @operation(
        "create_plugin",
        "Send a package's zip at once; it is looked over and becomes the version. Faults are listed in the answer.",
        multipart=bodies.PluginForm,
        answer=answers.PluginConfirmedAnswer,
        creates=True,
        example={"name": "yolo_detector", "version": "1.0.0", "file": "yolo_detector.zip"},
    )
    def post(self, request: Request) -> Response:
        form = bodies.read_form(request, bodies.PluginForm)
        try:
            version = domain.add_package(namespace=self.namespace, by=self.actor, **form)
        except domain.InvalidPackage as error:
            return Response(_refused(error, None))
        return Response(_taken(version, None))

    def page(self, request: Request) -> dict[str, Any]:
        body = PLUGINS.page(versions_of(self.namespace), presenters.plugin, request, self.data)
        return {"success": True, "namespace_id": self.namespace.public_id, **renamed(body, "plugins")}


class PluginList(Plugins):
    http_method_names = ["post", "options"]

    @operation(
        "search_plugins",
        "The extractors' versions of the namespace, by filters, search and sort.",
        body=ListBody,
        body_optional=True,
        listing=PLUGINS,
        answer=PLUGINS_ANSWER,
        scope="read",
        example={"filters": {"field": "state", "operator": "eq", "value": "ready"}},
    )
    def post(self, request: Request) -> Response:
        return Response(self.page(request))


class OnePlugin(NamespacedView):
    tag = "Extractors"

    @operation(
        "get_plugin",
        "A version with its manifest, features and warnings, and, where it is asked for, its archive's address.",
        query=bodies.DownloadQuery,
        answer=answers.OnePluginAnswer,
        answer_example={"success": True, "plugin": {"plugin_id": PLUGIN_ID}},
    )
    def get(self, request: Request, plugin_id: str) -> Response:
        version = get_version(self.namespace, plugin_id)
        url = None
        if self.query.get("return_presigned_urls") and version.archive:
            url, _ = download_url(request._request, version.archive, file_name(version))
        return Response(
            {"success": True, "plugin": presenters.plugin(version), "presigned_download_url": url}
        )

    @operation(
        "delete_plugin",
        "Delete a version that no collection uses.",
        answer=answers.PluginDeletedAnswer,
        answer_example={"plugin_id": PLUGIN_ID, "message": "It is deleted.", "deployment_removed": True},
    )
    def delete(self, request: Request, plugin_id: str) -> Response:
        version = get_version(self.namespace, plugin_id)
        name = str(version)
        ref = version.public_id
        removed = domain.delete_version(version=version, by=self.actor)
        return Response(
            {
                "success": True,
                "plugin_id": ref,
                "message": f"{name} is deleted.",
                "deployment_removed": removed,
            }
        )


class DeployPlugin(NamespacedView):
    tag = "Extractors"

    @operation(
        "deploy_plugin",
        "Ask a worker to start the version and see that it runs; ask for its status until it is DEPLOYED or FAILED.",
        query=bodies.DeployQuery,
        answer=answers.PluginDeployedAnswer,
        answer_example={"plugin_id": PLUGIN_ID, "status": "queued", "deployment_type": "batch_only"},
    )
    def post(self, request: Request, plugin_id: str) -> Response:
        version = get_version(self.namespace, plugin_id)
        domain.deploy(version=version, by=self.actor)
        realtime = self.query.get("deployment_type") == "realtime"
        warnings = ["Extractors run in batches here; there is no realtime endpoint."] if realtime else []
        return Response(
            {
                "success": True,
                "plugin_id": version.public_id,
                "status": "queued",
                "deployment_type": "batch_only",
                "route_prefix": None,
                "warnings": warnings,
                "message": f"{version} waits for a worker.",
            }
        )


class PluginStatus(NamespacedView):
    tag = "Extractors"

    @operation(
        "get_plugin_status",
        "How far a version's deployment is, why it failed, and what runs otherwise than the package asked for.",
        answer=answers.PluginStatusAnswer,
        answer_example={"plugin_id": PLUGIN_ID, "status": "DEPLOYED", "namespace_id": "ns_demo"},
    )
    def get(self, request: Request, plugin_id: str) -> Response:
        version = get_version(self.namespace, plugin_id)
        last = latest_deployment(version)
        held = bool(last and last.lease_until and not last.finished_at)
        return Response(
            presenters.plugin_status(version, held=held, queued_at=last.started_at if last else None)
        )


class UndeployPlugin(NamespacedView):
    tag = "Extractors"

    @operation(
        "undeploy_plugin",
        "Take a version's hosts down. Its collections' images wait until it is deployed again.",
        answer=answers.PluginUndeployedAnswer,
        answer_example={"success": True, "plugin_id": PLUGIN_ID, "status": "not_deployed"},
    )
    def post(self, request: Request, plugin_id: str) -> Response:
        version = get_version(self.namespace, plugin_id)
        domain.undeploy(version=version, by=self.actor)
        return Response(
            {
                "success": True,
                "plugin_id": version.public_id,
                "status": "not_deployed",
                "message": f"{version} is not deployed any more.",
            }
        )


class PluginVersions(NamespacedView):
    tag = "Extractors"

    @operation(
        "create_plugin_version",
        "The next version: the same code with newer weights of the registry, deployed at once unless told otherwise.",
        body=bodies.NextVersionBody,
        answer=answers.OnePluginAnswer,
        creates=True,
        example={"model_id": "yolo-detector_2_0_0", "version": "2.0.0"},
    )
    def post(self, request: Request, plugin_id: str) -> Response:
        version = get_version(self.namespace, plugin_id)
        made = domain.next_version_from_model(
            version=version,
            model=get_model(self.namespace, self.data["model_id"]),
            new_version=self.data.get("version"),
            deploy=self.data["deploy"],
            by=self.actor,
        )
        shown = presenters.plugin(get_version(self.namespace, made.public_id))
        return Response({"success": True, "plugin": shown, "presigned_download_url": None})


def renamed(body: dict[str, Any], key: str) -> dict[str, Any]:
    """A page whose rows stand under a name of their own."""
    return {key if name == "results" else name: value for name, value in body.items()}


def _taken(version: ExtractorVersion, upload_id: str | None) -> dict[str, Any]:
    return {
        "success": True,
        "upload_id": upload_id,
        "plugin_id": version.public_id,
        "validation_status": "passed",
        "validation_errors": [],
        "deployment_status": presenters.lower(presenters.status(version)),
        "feature_uri": presenters.feature_uri(version),
        "s3_archive_url": presenters.archive_url(version),
        "message": f"{version} is registered. Deploy it next.",
    }


def _refused(error: domain.InvalidPackage, upload_id: str | None) -> dict[str, Any]:
    return {
        "success": False,
        "upload_id": upload_id,
        "plugin_id": "",
        "validation_status": "failed",
        "validation_errors": error.faults,
        "deployment_status": "not_deployed",
        "feature_uri": "",
        "s3_archive_url": "",
        "message": error.message,
    }
