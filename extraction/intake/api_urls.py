from django.urls import path

from extraction.intake.api import buckets, objects, uploads

BUCKET = "buckets/<str:bucket_ref>"

urlpatterns = [
    path("buckets", buckets.Buckets.as_view(), name="api-buckets"),
    path("buckets/list", buckets.BucketList.as_view(), name="api-buckets-list"),
    path(BUCKET, buckets.OneBucket.as_view(), name="api-bucket"),
    path(f"{BUCKET}/objects", objects.Objects.as_view(), name="api-objects"),
    path(f"{BUCKET}/objects/list", objects.ObjectList.as_view(), name="api-objects-list"),
    path(f"{BUCKET}/objects/batch", objects.ObjectBatch.as_view(), name="api-objects-batch"),
    path(f"{BUCKET}/objects/<str:object_ref>", objects.OneObject.as_view(), name="api-object"),
    path(f"{BUCKET}/uploads", uploads.Uploads.as_view()),
    path(f"{BUCKET}/uploads/list", uploads.UploadList.as_view()),
    path(f"{BUCKET}/uploads/batch", uploads.UploadBatch.as_view()),
    path(f"{BUCKET}/uploads/<str:upload_id>", uploads.OneUpload.as_view()),
    path(f"{BUCKET}/uploads/<str:upload_id>/confirm", uploads.ConfirmUpload.as_view()),
]
