"""Evaluate detections: COCO's AP on annotated photos, track metrics on annotated clips, and the
temporal stability of the objects of a video without annotations.

Photos: `coco_ap`, with `ground_truth`, `read_results`, `false_positives`, `per_photo` and `plots`.
Clips: `tracking_metrics`, with `clips`, `trackeval_sequence` and the formats `davis`, `mots` and
`ytvis`. Videos: `temporal_stability`. This room imports every room above it but `models`;
pycocotools and TrackEval compute the metrics.
"""
