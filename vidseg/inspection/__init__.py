"""HTML pages that show a video's tracks, a dataset or the inside of a model, images included.

`found_video` collects what is found in a video and makes its part of a page: `track_records` are
the numbers, `worst_moments` what is wrong with them, `video_facts` the JSON, `video_page` the file.
`clip_part` does so for annotated clips, with the truth of `truth_pairs`; `photos_page` shows an
evaluation of photos.
`dataset_page` shows annotated photos and how well a model's anchors fit their objects; `model_page`
traces one photo through a network, step by step. `_templates` fills the files in `templates/`,
`_model_stages`, `_weight_statistics` and `anchors` compute. This room may import every room above
it.
"""
