from django.urls import include, path

urlpatterns = [
    path("", include("review.queues.urls")),
    path("", include("review.quality.urls")),
    path("", include("review.datasets.urls")),
]
