"""The rooms' rows, gathered for Django."""

from extraction.classes.models import ObjectClass
from extraction.imports.models import ImportedImage, ImportFault, TruthImport
from extraction.intake.models import Blob, Bucket, Image, Object
from extraction.packages.models import (
    ClassIndex,
    Deployment,
    Extractor,
    ExtractorVersion,
    Feature,
    ModelUse,
    ProductionChange,
    RegistryModel,
    VectorSpace,
)
from extraction.runs.models import Batch, BatchItem, Collection, Detection, Document, Embedding
from extraction.search.models import Execution, Retriever
from extraction.truth.models import DetectionMatch, GroundTruthBox, ImageReview, MatchWish

__all__ = [
    "Batch",
    "BatchItem",
    "Blob",
    "Bucket",
    "ClassIndex",
    "Collection",
    "Deployment",
    "Detection",
    "DetectionMatch",
    "Document",
    "Embedding",
    "Execution",
    "Extractor",
    "ExtractorVersion",
    "Feature",
    "GroundTruthBox",
    "Image",
    "ImageReview",
    "ImportFault",
    "ImportedImage",
    "MatchWish",
    "ModelUse",
    "Object",
    "ObjectClass",
    "ProductionChange",
    "RegistryModel",
    "Retriever",
    "TruthImport",
    "VectorSpace",
]
