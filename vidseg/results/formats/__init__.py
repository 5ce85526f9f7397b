"""Formats of other tools, one module each. `names` lists them and is light to import; `by_name`
opens them. Each is a context manager that yields a function to write a frame with its objects."""
