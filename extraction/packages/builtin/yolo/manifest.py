feature_extractor_name = "yolo"
version = "1.0.0"
description = "Object detection by any YOLO weights, with an embedding of every detection's crop"

dependencies = ["ultralytics>=8.3", "torch>=2.0"]

features = [
    {
        "feature_type": "json",
        "feature_name": "detections",
    },
    {
        "feature_type": "embedding",
        "feature_name": "detection_embedding",
        "embedding_dim": 512,
        "distance_metric": "cosine",
        # The server's own crop embedder fills this one: its rows are those of `crop_embedding`.
        "source": "crop",
    },
]

output_schema = {
    "detections": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "class": {"type": "string"},
                "confidence": {"type": "number"},
                "bbox": {
                    "type": "object",
                    "description": "x, y are the centre, in pixels of the upright image",
                    "properties": {
                        "x": {"type": "number"},
                        "y": {"type": "number"},
                        "w": {"type": "number"},
                        "h": {"type": "number"},
                    },
                },
                "class_scores": {
                    "type": "object",
                    "description": "probabilities of the five likeliest classes, each by itself",
                    "additionalProperties": {"type": "number"},
                },
            },
        },
    },
    "detection_embedding": {
        "type": "array",
        "items": {"type": "number"},
        "description": "512 dimensions of every detection's crop, by the server's embedder",
    },
}

input_mappings = {"image": "image"}
tier = 1
tier_label = "OBJECT_DETECTION"
