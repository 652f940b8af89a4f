"""What is measured of a version on a holdout, as pure functions over arrays.

`Metrics`, what `EvaluatedVersion.metrics` holds (shares are 0 to 1; null where there is nothing to take a share of):

    threshold           the working threshold
    iou                 from which on a box counts as found (0.5)
    images, boxes       of the holdout: images, true boxes
    failed_images       images that could not be read; they count as images without boxes
    failed              the first of those: [{"item_id", "file_name", "error"}]
    predictions         boxes at or above the threshold
    map50_95, map50, map75, ar100      by faster-coco-eval, boxes at any confidence, 100 an image at most
    precision, recall, f1              at the threshold, within classes, over all boxes
    intervals           {"map50_95" | "map50" | "precision" | "recall": [low, high]}, 95 %, by resampled images
    counts              {"found", "missed", "false"}: boxes behind precision and recall
    errors              {"misses", "false_alarms", "wrong_classes"}: boxes, as the matrix and the images count them
    classes             [{"class_id", "name", "colour", "boxes", "ap50_95", "ap50", "precision", "recall", "f1",
                          "interval": [low, high] of ap50_95}], as `Evaluation.classes`; without truth ap is null
    matrix              {"class_ids": [id, …, null], "rows": [[count]]}: row the truth's class, column the class that
                        was found in its place; the last of each is none (a false alarm, a miss)
    curves              [{"class_id": id or null for all, "points": [[recall, precision, threshold], …]}] at IoU 0.5,
                        101 points at most, by falling threshold
    warnings            [text]
    milliseconds        per image, median

`Comparison.results`, of an old and a new version; a difference is new less old, its bounds are those of 95 % of the
resamples; the same resampled images stand for both versions:

    map50_95, map50, precision, recall  {"old", "new", "difference", "low", "high"}
    classes             [{"class_id", "name", "colour", "boxes", "old", "new", "difference", "low", "high"}] of ap50_95
    images              {"better", "worse", "same"}: images with fewer, more, as many errors
    resamples, seed
"""
