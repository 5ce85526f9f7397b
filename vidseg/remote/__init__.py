"""Files by URL: fetched once into a cache on this machine, and put when they are whole.

Whatever reads a file calls `fetch.local` first, which leaves paths alone; what writes one goes
through `vidseg.atomic_output`, which calls `put.put`. fsspec does the transfers, with the
credentials and settings that it finds (environment, ~/.aws, ~/.config/gcloud, ~/.config/fsspec).

    CACHE/files/HASH/street.mp4       a fetched file, or folder; HASH is of its URL and version
    CACHE/outgoing/HASH/...           outputs until they are put, and those that could not be
"""
