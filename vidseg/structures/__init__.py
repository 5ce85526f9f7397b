"""Structures: the values that all rooms exchange.

    frame         one picture and its time; the check of pictures that programs pass in
    instances     the objects of a frame, and the single object
    masks         crops, full masks, label maps, areas, IoU and RLE of soft masks
    mask_overlap  approximate mask IoU of many objects, for tracking
    boxes, colors, span
    _supervision  exchange with the `supervision` package

NumPy, pycocotools and, late, SciPy; imports nothing of vidseg but `errors`.
"""
