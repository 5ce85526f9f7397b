"""`everyday`: NanoDet-Plus's detector in plain torch, with a mask branch on its feature maps."""
