from django.urls import path

from mixcv.tenancy import views

urlpatterns = [
    path("", views.root, name="root"),
    path("login/", views.SignIn.as_view(), name="login"),
    path("logout/", views.SignOut.as_view(), name="logout"),
    path("account/", views.account, name="account"),
    path("account/theme/", views.theme, name="theme"),
]
