"""Helpers of the tests: scenes with known objects, doubles of models, small files."""
