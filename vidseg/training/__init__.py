"""Training of Mask R-CNN: `vidseg.train` as one call, and its parts for a loop of one's own.

`start` gives weights, `samples` the row of training pictures, `augment` their changes, `losses` and
`learner` a step, `loop` the course of a run, `folder` its files. Nothing here knows the command
line. It uses `vidseg.datasets`, `vidseg.models`, `vidseg.evaluation` and
`vidseg.models.predictor`, and OpenCV
for pictures.
"""
