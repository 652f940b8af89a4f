from django.urls import path

from review.evaluation import views

urlpatterns = [
    path("versions/", views.versions, name="versions"),
    path("versions/compare/<str:evaluation>/", views.compare, name="compare"),
    path("versions/compare/<str:evaluation>/images/", views.compare_images, name="compare-images"),
    path("versions/compare/<str:evaluation>/images/<int:place>/", views.compare_image, name="compare-image"),
    path("versions/promote/<str:version>/", views.promote, name="promote"),
    path("versions/roll-back/<str:extractor>/", views.roll_back, name="roll-back"),
]
