"""Answers that several resources share, described for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class DeletedAnswer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    message = serializers.CharField()


class BoxAnswer(serializers.Serializer[Any]):
    """x, y: the centre; w, h: width and height; in pixels of the upright image."""

    x = serializers.FloatField()
    y = serializers.FloatField()
    w = serializers.FloatField()
    h = serializers.FloatField()
