from django.urls import path

from extraction.search import views

urlpatterns = [
    path("retrievers/", views.retrievers, name="retrievers"),
    path("retrievers/executions/<str:execution>/", views.execution, name="execution"),
    path("retrievers/<str:retriever>/", views.retriever, name="retriever"),
    path("retrievers/<str:retriever>/run/", views.run, name="retriever-run"),
    path("retrievers/<str:retriever>/copy/", views.copy, name="retriever-copy"),
    path("retrievers/<str:retriever>/edit/", views.edit, name="retriever-edit"),
    path("retrievers/<str:retriever>/delete/", views.delete, name="retriever-delete"),
]
