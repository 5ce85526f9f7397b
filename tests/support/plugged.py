"""The predictor of the tests, where a name of it can reach the command line.

`--model tests.support.plugged:predictor` gives it to any command. The fixture `oracle` puts a new
oracle here; a test puts here what it needs.
"""

from tests.support.doubles import OraclePredictor
from vidseg.detection.predictor import Predictor

predictor: Predictor = OraclePredictor()

MODEL = f"{__name__}:predictor"

BLOCKED = """
from tests.support import plugged
from tests.support.doubles import BlockedPredictor
plugged.predictor = BlockedPredictor({batches})
"""
"""Python lines for `process`, to be formatted: the predictor waits for a signal after `batches`."""
