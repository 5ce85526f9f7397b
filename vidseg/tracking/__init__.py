"""Objects followed from frame to frame: `tracker` gives them ids, `steady` fills what was missed
and smooths, `identify` joins these for what is saved and what is shown of it."""
