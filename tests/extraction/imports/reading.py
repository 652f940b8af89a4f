"""Folders of truth as tests write them, and what is read of them."""

from __future__ import annotations

from extraction.imports import formats
from extraction.imports.formats import Frame, place
from tests.extraction.imports import sources

BUS = "0 0.5 0.5 0.25 0.25"


def read(folder, form="auto"):
    return formats.read(folder, form)


def told(reading):
    return {one.path: [box.class_name for box in one.boxes] for one in reading.pictures}


def parts(reading):
    return {one.path.rpartition("/")[2][:-4]: one.part for one in reading.pictures}


def faults(reading):
    return [(one.file, one.line, one.message, str(one.cost)) for one in reading.faults]


def one_fault(reading):
    (fault,) = reading.faults
    return fault


def voc_of(folder, boxes=(), *, frame=None, **more):
    sources.picture(folder, "a.jpg")
    sources.write(folder, "a.xml", sources.voc(boxes, **more))
    (picture,) = read(folder).pictures
    return place(picture, frame or Frame(sources.SIZE))
