from django.urls import include, path

urlpatterns = [
    path("", include("review.home.urls")),
    path("", include("review.queues.urls")),
    path("", include("review.quality.urls")),
    path("", include("review.datasets.urls")),
    path("", include("review.training.urls")),
    path("", include("review.evaluation.urls")),
]
