"""Analysis of pictures over time: scene cuts and dense optical flow.

Imports only `vidseg.structures`. Used by detection, tracking and evaluation.
"""
