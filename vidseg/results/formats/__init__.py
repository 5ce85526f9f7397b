"""Writers of result formats, one file a format; `by_name` finds them."""
