"""The steps of Mask R-CNN from a batch of frames to its objects, faster than torchvision's own.

- `preprocess` resizes and normalises frames.
- `forward` runs the network step by step; `_proposals` and `_roi_align` are two of its steps.
- `optimize` prepares a network for prediction: number format, memory layout, folded batch norms.

Imports `vidseg.structures` and `vidseg.models`.
"""
