"""Mask R-CNN's way from a batch of frames to `Instances`, faster than torchvision's own."""
