"""Video in, video out: moviepy and PyAV live in this package and nowhere else."""
