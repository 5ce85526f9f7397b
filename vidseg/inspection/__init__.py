"""What a dataset or a model looks like from inside, as one HTML page each, pictures included.

`data` shows annotated photos and whether a model's anchors fit the objects in them; `model` follows
one photo through a network, step by step. `page` writes HTML, `stages` and `anchors` compute,
`pictures` draws. Uses `vidseg.datasets`, `vidseg.effects` and `vidseg.models`.
"""
