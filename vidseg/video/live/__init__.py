"""Live pictures: where they come from, and where they go while they arrive.

    source       frames of a camera, a network stream or a pipe, at the times they arrive
    connections  one connection to each kind of source
    output       what a live output is
    recording, hls, page, window   the outputs

A live source has no length and no beginning to go back to. Nothing here waits for later frames.
"""
