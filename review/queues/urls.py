from django.urls import path

from review.queues import views

urlpatterns = [
    path("review/", views.review, name="review"),
    path("collections/<str:collection>/holdout/", views.open_holdout, name="queue-holdout"),
    path("retrievers/<str:retriever>/queue/", views.open_retriever, name="queue-open"),
    path("review/<str:queue>/", views.focus, name="focus"),
    path("review/<str:queue>/remove/", views.remove, name="queue-remove"),
    path("review/<str:queue>/next/", views.next_work, name="focus-next"),
    path("review/<str:queue>/verdict/", views.verdict, name="focus-verdict"),
    path("review/<str:queue>/undo/", views.undo, name="focus-undo"),
    path("review/<str:queue>/lease/", views.lease, name="focus-lease"),
    path("review/<str:queue>/skip/", views.skip, name="focus-skip"),
    path("review/<str:queue>/complete/", views.complete, name="focus-complete"),
]
