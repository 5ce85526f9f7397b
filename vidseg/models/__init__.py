"""Mask R-CNN models: architectures, class names, weights, and the files bundled with vidseg."""
