"""From frames to video, GIF and image files, with the other streams copied."""
