"""Find objects in every frame of a video, and draw, splash or save them.

`vidseg.find` gives the objects of each frame as a stream. `vidseg.overlay`, `vidseg.splash`,
`vidseg.cutout`, `vidseg.frames`, `vidseg.detect_to_file`, `vidseg.export`, `vidseg.train`,
`vidseg.evaluate`, `vidseg.compare` and `vidseg.report` are the commands as one call each, and
`vidseg.run` makes several outputs in one pass; the other names are the parts that they are made of.
Each name is imported when it is first used. ARCHITECTURE.md in this folder is the map.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vidseg.version import __version__ as __version__

if TYPE_CHECKING:
    from vidseg.detection.batched import detect as detect
    from vidseg.detection.predictor import Predictor as Predictor
    from vidseg.effects import Overlay as Overlay
    from vidseg.effects import Splash as Splash
    from vidseg.effects import on_image as on_image
    from vidseg.effects.parse import parse_effects as parse_effects
    from vidseg.errors import VidsegError as VidsegError
    from vidseg.models.onnx_export import export_onnx as export_onnx
    from vidseg.models.options import ModelOptions as ModelOptions
    from vidseg.models.predictor import load_predictor as load_predictor
    from vidseg.pipeline.compare_models import compare as compare
    from vidseg.pipeline.detect_part import detect_part as detect_part
    from vidseg.pipeline.detect_to_file import detect_to_file as detect_to_file
    from vidseg.pipeline.estimate import estimate as estimate
    from vidseg.pipeline.evaluate import evaluate as evaluate
    from vidseg.pipeline.evaluation_request import EvaluationOptions as EvaluationOptions
    from vidseg.pipeline.export_file import export as export
    from vidseg.pipeline.find import find as find
    from vidseg.pipeline.live import live as live
    from vidseg.pipeline.merge import merge as merge
    from vidseg.pipeline.outputs import CutoutOutput as CutoutOutput
    from vidseg.pipeline.outputs import ExportOutput as ExportOutput
    from vidseg.pipeline.outputs import MaskFolderOutput as MaskFolderOutput
    from vidseg.pipeline.outputs import VideoOutput as VideoOutput
    from vidseg.pipeline.preview import preview as preview
    from vidseg.pipeline.progress_bar import progress_bar as progress_bar
    from vidseg.pipeline.report import report as report
    from vidseg.pipeline.run import run as run
    from vidseg.pipeline.run_options import RunOptions as RunOptions
    from vidseg.pipeline.run_options import RunResult as RunResult
    from vidseg.pipeline.search import Search as Search
    from vidseg.pipeline.shortcuts import cutout as cutout
    from vidseg.pipeline.shortcuts import frames as frames
    from vidseg.pipeline.shortcuts import overlay as overlay
    from vidseg.pipeline.shortcuts import splash as splash
    from vidseg.results.formats.mask_folder import MaskFolder as MaskFolder
    from vidseg.results.vidseg_file import read_detections as read_detections
    from vidseg.structures.frame import Frame as Frame
    from vidseg.structures.instances import Instances as Instances
    from vidseg.structures.span import Span as Span
    from vidseg.tracking.options import TrackingOptions as TrackingOptions
    from vidseg.tracking.selection import Selection as Selection
    from vidseg.tracking.tracker import Tracker as Tracker
    from vidseg.training.loop import TrainCallbacks as TrainCallbacks
    from vidseg.training.settings import TrainOptions as TrainOptions
    from vidseg.training.train import train as train
    from vidseg.video.codecs import choose_codec as choose_codec
    from vidseg.video.decoding.reader import read_frames as read_frames
    from vidseg.video.encoding.writer import open_writer as open_writer
    from vidseg.video.moviepy_clip import FrameClip as FrameClip
    from vidseg.video.probe import probe as probe

_HOMES = {
    "CutoutOutput": "pipeline.outputs",
    "EvaluationOptions": "pipeline.evaluation_request",
    "ExportOutput": "pipeline.outputs",
    "Frame": "structures.frame",
    "FrameClip": "video.moviepy_clip",
    "Instances": "structures.instances",
    "MaskFolder": "results.formats.mask_folder",
    "MaskFolderOutput": "pipeline.outputs",
    "ModelOptions": "models.options",
    "Overlay": "effects",
    "Predictor": "detection.predictor",
    "RunOptions": "pipeline.run_options",
    "RunResult": "pipeline.run_options",
    "Search": "pipeline.search",
    "Selection": "tracking.selection",
    "Span": "structures.span",
    "Splash": "effects",
    "Tracker": "tracking.tracker",
    "TrackingOptions": "tracking.options",
    "TrainCallbacks": "training.loop",
    "TrainOptions": "training.settings",
    "VideoOutput": "pipeline.outputs",
    "VidsegError": "errors",
    "choose_codec": "video.codecs",
    "compare": "pipeline.compare_models",
    "cutout": "pipeline.shortcuts",
    "detect": "detection.batched",
    "detect_part": "pipeline.detect_part",
    "detect_to_file": "pipeline.detect_to_file",
    "estimate": "pipeline.estimate",
    "evaluate": "pipeline.evaluate",
    "export": "pipeline.export_file",
    "export_onnx": "models.onnx_export",
    "find": "pipeline.find",
    "frames": "pipeline.shortcuts",
    "live": "pipeline.live",
    "load_predictor": "models.predictor",
    "merge": "pipeline.merge",
    "on_image": "effects",
    "open_writer": "video.encoding.writer",
    "overlay": "pipeline.shortcuts",
    "parse_effects": "effects.parse",
    "preview": "pipeline.preview",
    "probe": "video.probe",
    "progress_bar": "pipeline.progress_bar",
    "read_detections": "results.vidseg_file",
    "read_frames": "video.decoding.reader",
    "report": "pipeline.report",
    "run": "pipeline.run",
    "splash": "pipeline.shortcuts",
    "train": "training.train",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vidseg' has no attribute {name!r}")
    return getattr(import_module(f"vidseg.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
