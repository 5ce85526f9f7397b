"""Benchmarks: each checks its outputs first, then prints JSON to stdout; run them by hand."""
