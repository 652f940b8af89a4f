"""Settings of every process: web, workers, beat, commands, tests.

`MIXCV_HOME` is the folder of all data. `DATABASE_URL`, `REDIS_URL` and `MIXCV_STORAGE` replace the embedded parts by
servers: the same engines, no second code path.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mixcv.config import (
    database_from_env,
    device_from_env,
    env_bool,
    env_int,
    env_list,
    redis_urls,
    secret_key,
)

BASE_DIR = Path(__file__).resolve().parent.parent

MIXCV_HOME = Path(os.environ.get("MIXCV_HOME", BASE_DIR / "var")).resolve()
MIXCV_WEIGHTS = Path(os.environ.get("MIXCV_WEIGHTS", MIXCV_HOME / "weights")).resolve()
MIXCV_STORAGE = os.environ.get("MIXCV_STORAGE", str(MIXCV_HOME / "blobs"))
MIXCV_CACHE = MIXCV_HOME / "cache"
PORT = env_int("PORT", 8000)

DEBUG = env_bool("MIXCV_DEBUG", False)
SECRET_KEY = secret_key(MIXCV_HOME)
ALLOWED_HOSTS = env_list("MIXCV_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]", "testserver"])
CSRF_TRUSTED_ORIGINS = env_list("MIXCV_TRUSTED_ORIGINS", [])
# Set where the site is served over https only: cookies are then never sent in the clear.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env_bool("MIXCV_HTTPS", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env_bool("MIXCV_HTTPS", False) else None

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "template_partials",
    "mixcv.kernel",
    "mixcv.tenancy",
    "extraction",
    "review",
    "mixcv.startup.StartupConfig",
]

MIDDLEWARE = [
    "mixcv.kernel.middleware.ContentSecurityPolicy",
    "mixcv.kernel.middleware.NoNulInAddress",
    "mixcv.kernel.middleware.ApiAddress",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "mixcv.tenancy.middleware.WayBack",
    "mixcv.tenancy.middleware.CurrentNamespace",
    "mixcv.kernel.middleware.NoNulInForm",
    "mixcv.kernel.middleware.DomainErrors",
]

ROOT_URLCONF = "mixcv.urls"
WSGI_APPLICATION = "mixcv.wsgi.application"
APPEND_SLASH = False

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "mixcv.tenancy.context.frame",
            ],
            "builtins": ["mixcv.kernel.templatetags.mixcv"],
        },
    }
]

DATABASES = {"default": database_from_env(MIXCV_HOME)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL, CELERY_BROKER_URL = redis_urls(MIXCV_HOME)
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AUTH_USER_MODEL = "tenancy.User"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = Path(os.environ.get("MIXCV_STATIC", MIXCV_HOME / "static"))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": MIXCV_STORAGE},
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 0 if DEBUG else 3600

# A bulk of 1,000 annotations is about 500 KB; images come as multipart files, which have their own bound below.
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 2000
FILE_UPLOAD_TEMP_DIR = None

CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "cpu"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": env_int("MIXCV_VISIBILITY_TIMEOUT", 3600),
    # A killed worker's message comes back after these many polls of the restore sweep.
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    # Makes good what a killed worker or a lost message left behind.
    "sweep": {"task": "extraction.sweep", "schedule": 5.0, "options": {"queue": "cpu", "expires": 5}},
    "forget_old_calls": {"task": "mixcv.forget_old_calls", "schedule": 3600.0, "options": {"queue": "cpu"}},
    "sweep_pending": {
        "task": "extraction.intake.sweep_pending",
        "schedule": 60.0,
        "options": {"queue": "io"},
    },
    "forget_uploads": {
        "task": "extraction.intake.forget_uploads",
        "schedule": 3600.0,
        "options": {"queue": "cpu"},
    },
    "sweep_imports": {
        "task": "extraction.imports.sweep",
        "schedule": 15.0,
        "options": {"queue": "cpu", "expires": 15},
    },
    "sweep_training": {
        "task": "review.training.sweep",
        "schedule": 15.0,
        "options": {"queue": "cpu", "expires": 15},
    },
    "match_detections": {
        "task": "extraction.truth.match",
        "schedule": 5.0,
        "options": {"queue": "cpu", "expires": 5},
    },
    "sweep_evaluations": {
        "task": "review.evaluation.sweep",
        "schedule": 15.0,
        "options": {"queue": "cpu", "expires": 15},
    },
    "fold_counts": {
        "task": "review.fold_counts",
        "schedule": 60.0,
        "options": {"queue": "cpu", "expires": 60},
    },
    "sweep_models": {"task": "extraction.sweep_models", "schedule": 60.0, "options": {"queue": "cpu"}},
    "trim_cache": {"task": "extraction.intake.trim_cache", "schedule": 3600.0, "options": {"queue": "cpu"}},
}

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["mixcv.tenancy.keys.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["mixcv.tenancy.keys.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "mixcv.kernel.json_body.StrictJSONParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_SCHEMA_CLASS": "mixcv.kernel.schema.OperationSchema",
    "EXCEPTION_HANDLER": "mixcv.kernel.api.handle_exception",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "mixcv",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "DESCRIPTION": "Detect, review, fine-tune: every call of a self-hosted object-detection pipeline. "
    "Boxes are {x, y, w, h} in pixels of the upright image, x and y the centre.",
    "SERVE_INCLUDE_SCHEMA": False,
    "PREPROCESSING_HOOKS": ["mixcv.kernel.schema.api_paths"],
    "POSTPROCESSING_HOOKS": [
        "mixcv.kernel.schema.add_errors_and_namespace",
    ],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SCHEMA_COERCE_PATH_PK_SUFFIX": True,
    "COMPONENT_SPLIT_REQUEST": True,
}

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# Two instances on one host and different ports share cookies otherwise.
SESSION_COOKIE_NAME = f"mixcv_session_{PORT}"
CSRF_COOKIE_NAME = f"mixcv_csrf_{PORT}"

# ---- what the product itself reads
MIXCV_MAX_IMAGE_BYTES = env_int("MIXCV_MAX_IMAGE_BYTES", 50 * 1024 * 1024)
MIXCV_MAX_PACKAGE_BYTES = env_int("MIXCV_MAX_PACKAGE_BYTES", 500 * 1024 * 1024)
MIXCV_MAX_MODEL_BYTES = env_int("MIXCV_MAX_MODEL_BYTES", 10 * 1024**3)
# A zip with pictures and ground truth, and what it may unpack to.
MIXCV_MAX_TRUTH_BYTES = env_int("MIXCV_MAX_TRUTH_BYTES", 10 * 1024**3)
MIXCV_MAX_TRUTH_UNPACKED = env_int("MIXCV_MAX_TRUTH_UNPACKED", 40 * 1024**3)
MIXCV_MAX_TRUTH_FILES = env_int("MIXCV_MAX_TRUTH_FILES", 500_000)
MIXCV_MAX_IMAGE_PIXELS = env_int("MIXCV_MAX_IMAGE_PIXELS", 100_000_000)
MIXCV_ALLOW_PRIVATE_URLS = env_bool("MIXCV_ALLOW_PRIVATE_URLS", False)
# Calls a minute and key; 0: no limit.
MIXCV_RATE_LIMIT = env_int("MIXCV_RATE_LIMIT", 6000)
# Where s3:// addresses are read: AWS_ENDPOINT_URL for another server than Amazon's; credentials by boto3's own rules.
MIXCV_S3_ENDPOINT = os.environ.get("AWS_ENDPOINT_URL_S3", os.environ.get("AWS_ENDPOINT_URL", ""))
MIXCV_S3_PATH_STYLE = env_bool("MIXCV_S3_PATH_STYLE", bool(MIXCV_S3_ENDPOINT))
MIXCV_S3_BUCKETS = env_list("MIXCV_S3_BUCKETS", [])
MIXCV_EMBEDDER = os.environ.get("MIXCV_EMBEDDER", "offline")
MIXCV_DETECTOR = os.environ.get("MIXCV_DETECTOR", "")
MIXCV_DEVICE = device_from_env()
MIXCV_THRESHOLD = float(os.environ.get("MIXCV_THRESHOLD", "0.25"))
MIXCV_IMAGE_SIZE = env_int("MIXCV_IMAGE_SIZE", 640)
MIXCV_MAX_HOSTS = env_int("MIXCV_MAX_HOSTS", 2)
MIXCV_HOST_MEMORY_MB = env_int("MIXCV_HOST_MEMORY_MB", 6000)
MIXCV_CHUNK_IMAGES = env_int("MIXCV_CHUNK_IMAGES", 32)
MIXCV_GATHER_SECONDS = env_int("MIXCV_GATHER_SECONDS", 2)
MIXCV_LEASE_SECONDS = env_int("MIXCV_LEASE_SECONDS", 60)
MIXCV_REVIEW_LEASE_SECONDS = env_int("MIXCV_REVIEW_LEASE_SECONDS", 180)
MIXCV_STRICT_DEPENDENCIES = env_bool("MIXCV_STRICT_DEPENDENCIES", False)
MIXCV_MAX_PACKAGE_BYTES = env_int("MIXCV_MAX_PACKAGE_BYTES", 500 * 1024 * 1024)
MIXCV_MAX_MODEL_BYTES = env_int("MIXCV_MAX_MODEL_BYTES", 10 * 1024**3)
MIXCV_MAX_MODELS = env_int("MIXCV_MAX_MODELS", 50)
# The share of all boxes that is shown to reviewers at random, beside the doubtful ones.
MIXCV_AUDIT_SHARE = float(os.environ.get("MIXCV_AUDIT_SHARE", "0.02"))
MIXCV_DOUBTFUL_BELOW = float(os.environ.get("MIXCV_DOUBTFUL_BELOW", "0.7"))

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": os.environ.get("MIXCV_LOG_LEVEL", "INFO")},
    "loggers": {"django.server": {"level": "WARNING"}, "httpx": {"level": "WARNING"}},
}
