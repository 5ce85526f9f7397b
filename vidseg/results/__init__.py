"""Files made from what was found: one module a format; see `vidseg.results.formats.by_name`."""

from vidseg.results.formats.mask_folder import MaskFolder

__all__ = ["MaskFolder"]
