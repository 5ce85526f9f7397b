"""How good results are: COCO's AP on annotated photos, tracks against annotated clips, and how
steady the objects of a video are where nobody annotated it.

It reads datasets and photos through `vidseg.datasets` and `vidseg.video`; pycocotools and TrackEval
do the counting.
"""
