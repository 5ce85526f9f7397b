"""Files made from what was found: one module a format; see `vidseg.export.formats`."""

from vidseg.export.mask_folder import MaskFolder

__all__ = ["MaskFolder"]
