"""HTML pages that show a dataset or the inside of a model, images included.

`dataset_page` shows annotated photos and how well a model's anchors fit their objects; `model_page`
traces one photo through a network, step by step. `_blocks` writes HTML, `_model_stages`,
`_weight_statistics` and `anchors` compute. This room may import every room above it.
"""
