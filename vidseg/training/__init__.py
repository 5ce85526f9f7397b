"""Training of Mask R-CNN: `vidseg.train` as one call, and its parts for a loop of your own.

`settings` holds the options, `initial_weights` the start, `_splits` train and val, `_sampler` the
sequence of training images, `_augment` their random changes, `_losses` and `_learner` one step,
`loop` a run, `run_folder` its files. This room may import every room above it.
"""
