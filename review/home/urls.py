from django.urls import path

from review.home import views

urlpatterns = [
    path("", views.home, name="home"),
    path("home/running/", views.running, name="home-running"),
]
