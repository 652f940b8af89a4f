"""Signing in, and keys for programs."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.cache import cache
from django.core.exceptions import ValidationError

from mixcv.tenancy.models import Scope

TRIES = 10
LOCKED_SECONDS = 300


class SignInForm(AuthenticationForm):
    """Name and password. After ten wrong passwords for a name from one address, it waits for five minutes."""

    error_messages = {
        "invalid_login": "Name or password is wrong. Both mind capital letters.",
        "inactive": "This account is switched off. An admin can switch it on.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "Name"
        dress(self)

    @property
    def _key(self) -> str:
        address = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        return f"sign-in:{address}:{self.data.get('username', '')[:150].casefold()}".replace(" ", "_")

    def clean(self) -> dict[str, Any]:
        if cache.get(self._key, 0) >= TRIES:
            raise ValidationError(
                "Too many wrong passwords for this name. Try again in five minutes.", code="locked"
            )
        try:
            cleaned: dict[str, Any] = super().clean()
        except ValidationError:
            cache.add(self._key, 0, LOCKED_SECONDS)
            cache.incr(self._key)
            raise
        cache.delete(self._key)
        return cleaned


class ChangePasswordForm(PasswordChangeForm):  # type: ignore[type-arg,unused-ignore]
    """The old password once, the new one twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self)


class NewKeyForm(forms.Form):
    """A program's key: what it is called, what it may, how often it may ask."""

    label = forms.CharField(
        label="Name",
        max_length=100,
        help_text="The program that will use it; what it does is kept under this name.",
    )
    scopes = forms.MultipleChoiceField(
        label="It may",
        choices=Scope.choices,
        initial=[Scope.READ, Scope.WRITE],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose what the key may do."},
    )
    rate_limit = forms.IntegerField(
        label="Calls a minute",
        required=False,
        min_value=0,
        max_value=10_000_000,
        help_text="Empty: the installation's own limit. 0: as many as it likes.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self)
        self.fields["scopes"].widget.attrs["class"] = "checks"


def dress(form: forms.Form) -> None:
    """Our class on each field, and what is wrong tied to it for readers."""
    for name, field in form.fields.items():
        field.widget.attrs["class"] = "input"
        if form.is_bound and name in form.errors:
            field.widget.attrs |= {"aria-invalid": "true", "aria-describedby": f"{name}-error"}
