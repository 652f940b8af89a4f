from django.urls import path

from review.datasets import views

urlpatterns = [
    path("datasets/", views.datasets, name="datasets"),
    path("datasets/add-image/", views.add_image, name="dataset-add"),
    path("datasets/<str:dataset>/", views.dataset, name="dataset"),
    path("datasets/<str:dataset>/policy/", views.policy, name="dataset-policy"),
    path("datasets/<str:dataset>/build/", views.build, name="dataset-build"),
    path("datasets/<str:dataset>/delete/", views.delete, name="dataset-delete"),
    path("datasets/<str:dataset>/include/", views.include, name="dataset-include"),
    path("datasets/<str:dataset>/images/<str:rule>/", views.images, name="dataset-images"),
    path("datasets/<str:dataset>/versions/<int:version>/export/", views.export, name="dataset-export"),
    path(
        "datasets/<str:dataset>/versions/<int:version>/delete/",
        views.delete_version,
        name="dataset-version-delete",
    ),
]
