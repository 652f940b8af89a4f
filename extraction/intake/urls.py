from django.urls import path

from extraction.intake import image_page, media_views, views

urlpatterns = [
    path("images/", views.images, name="images"),
    path("images/<int:pk>/file", media_views.image_file, name="image-file"),
    path("images/<int:pk>/thumb", media_views.image_thumb, name="image-thumb"),
    path("images/<int:pk>/crop", media_views.image_crop, name="image-crop"),
    path("images/<int:pk>/page", image_page.image_of, name="image-of"),
    path("images/<str:bucket>/", views.bucket, name="bucket"),
    path("images/<str:bucket>/upload", views.upload, name="bucket-upload"),
    path("images/<str:bucket>/<str:object>/", image_page.image_page, name="image-page"),
    path("images/<str:bucket>/<str:object>/fetch", image_page.fetch_again, name="image-fetch"),
]
