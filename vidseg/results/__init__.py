"""Results: detections saved to a file, read back, and written in other tools' formats.

`vidseg_file` is the `.vidseg` format and its reader, `vidseg_writer` writes it so that a run can be
resumed, `replay` lets saved detections stand in for a model. `formats/` has one module per format;
`README.md` lists them all. Imports structures, video (for `VideoInfo`), models.catalog (no torch),
datasets (outlines, and what VIA's files hold) and effects (cut-outs).
"""
