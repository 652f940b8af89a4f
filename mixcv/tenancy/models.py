"""Namespaces, people with their roles, and API keys."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone


class User(AbstractUser):
    """A person. Preferences of the browser app stand here, so that a page comes in the right theme at once."""

    class Theme(models.TextChoices):
        DARK = "dark", "Dark"
        LIGHT = "light", "Light"
        SYSTEM = "system", "As the system"

    theme = models.CharField(max_length=8, choices=Theme.choices, default=Theme.DARK)

    @property
    def initials(self) -> str:
        parts = (self.get_full_name() or self.username).split()
        return "".join(part[0] for part in parts[:2]).upper()


class Namespace(models.Model):
    """A tenant: everything else belongs to exactly one."""

    name = models.CharField(max_length=100, unique=True)
    public_id = models.CharField(max_length=110, unique=True)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    REVIEWER = "reviewer", "Reviewer"
    MANAGER = "manager", "Manager"
    ADMIN = "admin", "Admin"


RANK = {Role.REVIEWER: 1, Role.MANAGER: 2, Role.ADMIN: 3}


class Membership(models.Model):
    """A person's role in a namespace. Superusers are admins everywhere without one."""

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices, default=Role.REVIEWER)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["namespace", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.namespace} as {self.role}"


class Scope(models.TextChoices):
    READ = "read", "Read"
    WRITE = "write", "Write"
    DELETE = "delete", "Delete"
    ADMIN = "admin", "Admin"


def all_scopes() -> list[str]:
    return [scope.value for scope in Scope]


class ApiKey(models.Model):
    """A program's key to a namespace, and to others that it opens beside. Shown once; only a hash is kept.

    A key has 256 random bits, so a plain SHA-256 is as good as a slow hash and lets one index lookup find it.
    """

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="api_keys")
    label = models.CharField(max_length=100, default="key")
    prefix = models.CharField(max_length=16, help_text="the first characters, to tell keys apart")
    sha256 = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=8, choices=Scope.choices), default=all_scopes)
    also_opens = models.ManyToManyField(Namespace, blank=True, related_name="opened_by")
    rate_limit = models.PositiveIntegerField(
        null=True, blank=True, help_text="calls a minute; empty: the installation's own limit"
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.label} ({self.prefix}…)"
