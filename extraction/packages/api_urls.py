from django.urls import path

from extraction.packages.api import extractors, models, plugins

urlpatterns = [
    path("plugins", plugins.Plugins.as_view(), name="api-plugins"),
    path("plugins/list", plugins.PluginList.as_view(), name="api-plugins-list"),
    path("plugins/uploads", plugins.Uploads.as_view(), name="api-plugin-uploads"),
    path(
        "plugins/uploads/<str:upload_id>/confirm", plugins.ConfirmUpload.as_view(), name="api-plugin-confirm"
    ),
    path("plugins/<str:plugin_id>", plugins.OnePlugin.as_view(), name="api-plugin"),
    path("plugins/<str:plugin_id>/deploy", plugins.DeployPlugin.as_view(), name="api-plugin-deploy"),
    path("plugins/<str:plugin_id>/status", plugins.PluginStatus.as_view(), name="api-plugin-status"),
    path("plugins/<str:plugin_id>/undeploy", plugins.UndeployPlugin.as_view(), name="api-plugin-undeploy"),
    path("plugins/<str:plugin_id>/versions", plugins.PluginVersions.as_view(), name="api-plugin-versions"),
    path("extractors", extractors.Extractors.as_view(), name="api-extractors"),
    path("extractors/list", extractors.ExtractorList.as_view(), name="api-extractors-list"),
    path("extractors/<str:extractor_id>", extractors.OneExtractor.as_view(), name="api-extractor"),
    path(
        "collections/features/extractors",
        extractors.FeatureExtractors.as_view(),
        name="api-feature-extractors",
    ),
    path(
        "collections/features/extractors/<str:extractor_id>",
        extractors.OneFeatureExtractor.as_view(),
        name="api-feature-extractor",
    ),
    path("models", models.Models.as_view(), name="api-models"),
    path("models/list", models.ModelList.as_view(), name="api-models-list"),
    path("models/uploads", models.Uploads.as_view(), name="api-model-uploads"),
    path("models/uploads/<str:upload_id>/confirm", models.ConfirmUpload.as_view(), name="api-model-confirm"),
    path("models/<str:model_id>", models.OneModel.as_view(), name="api-model"),
    path("models/<str:model_id>/download", models.DownloadModel.as_view(), name="api-model-download"),
    path("models/<str:model_id>/deploy", models.DeployModel.as_view(), name="api-model-deploy"),
]
