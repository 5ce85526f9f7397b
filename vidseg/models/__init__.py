"""Models: their architectures, class names and weights, and the predictors that run them.

- `catalog` knows the models by name and chooses one by the classes asked for; it imports no torch.
- `predictor` loads a model and runs it on frames, in batches that fit in memory; `inference` holds
  the steps from a batch of frames to its objects.
- `architectures`, `shufflenet` and `coco_models` build networks; `checkpoint` reads and writes our
  model files.
- `everyday` is a network of another kind, from its layers to its predictor.
- `torchvision_weights`, `backbone_weights` and `download` fetch published weights.
- `names`, `device` and `memory` are what the others share.

Imports `vidseg.structures` and the loose modules, nothing else of the house.
"""
