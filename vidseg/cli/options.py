"""Options that several commands share, as decorators.

Each decorator collects its options in one value, checked before the command runs, and passes it by
name: `search_options` gives `search`, `model_flags` gives `model`, `span_options` gives `span`,
`run_options` gives `run`, `encoding_options` gives `quality`.
"""

from fractions import Fraction
from functools import wraps
from typing import TYPE_CHECKING, Any

from vidseg.cli.cluster_options import ClusterFlags as ClusterFlags
from vidseg.cli.cluster_options import cluster_options as cluster_options
from vidseg.cli.encoding_options import Quality as Quality
from vidseg.cli.encoding_options import encoding_options as encoding_options
from vidseg.cli.model_options import CLASS_OPTION as CLASS_OPTION
from vidseg.cli.model_options import TILES_OPTION as TILES_OPTION
from vidseg.cli.model_options import WEIGHTS_URL as WEIGHTS_URL
from vidseg.cli.model_options import ModelFlags as ModelFlags
from vidseg.cli.model_options import model_flags as model_flags
from vidseg.cli.option import Command, option
from vidseg.cli.option import examples as examples
from vidseg.cli.param_types import Time
from vidseg.cli.run_flags import VERBOSITY as VERBOSITY
from vidseg.cli.run_flags import ProgressFlags as ProgressFlags
from vidseg.cli.run_flags import RunFlags as RunFlags
from vidseg.cli.run_flags import progress_options as progress_options
from vidseg.cli.run_flags import run_options as run_options
from vidseg.cli.run_flags import skip_existing_option as skip_existing_option
from vidseg.cli.run_flags import verbosity_options as verbosity_options
from vidseg.cli.run_flags import watch_option as watch_option
from vidseg.cli.tracking_options import EVERY_OPTION as EVERY_OPTION
from vidseg.cli.tracking_options import follow_options
from vidseg.structures.span import Span as Span

if TYPE_CHECKING:
    pass


SCORE_OPTION = option(
    "--score", type=float, default=0.5, help="Show objects with this confidence or more, 0 to 1."
)
MAX_OBJECTS = option(
    "--max-objects",
    type=int,
    show_default="all that the model finds, 100 at most",
    help="Show at most N objects in a frame, those with the best scores.",
)

TOLERANCE_OPTION = option(
    "--tolerance",
    type=float,
    metavar="PIXELS",
    show_default="1/80 of each object's size",
    help="How far the outlines of yolo, labelme and via may be from the masks; 0 is exact.",
)


def search_options(command: Command) -> Command:
    """Which objects to show, found or saved before: gives `search`, a `Search`."""

    @SCORE_OPTION
    @MAX_OBJECTS
    @follow_options
    @option(
        "--detections",
        metavar="FILE",
        show_default="none",
        help="Take the objects from this file of `vidseg detect`; no model is loaded.",
    )
    @option(
        "--save-detections",
        metavar="FILE",
        show_default="none",
        help="Also save everything that is found in this file, for use with --detections.",
    )
    @option(
        "--resume",
        is_flag=True,
        help="Go on with the file of --save-detections that an interrupted run left.",
    )
    @model_flags
    @wraps(command)
    def wrapper(
        *,
        model: ModelFlags,
        score: float,
        max_objects: int | None,
        following: dict[str, Any],
        detections: str | None,
        save_detections: str | None,
        **others: Any,
    ) -> Any:
        search = model.search(
            score=score,
            max_objects=max_objects,
            detections=detections,
            save_detections=save_detections,
            **following,
        )
        return command(search=search, **others)

    return wrapper


def span_options(command: Command) -> Command:
    """Which part of the input: gives `span`, a `Span`."""

    @option(
        "--start",
        type=Time(),
        show_default="the beginning",
        help="Time to start at: seconds or hh:mm:ss.sss.",
    )
    @option(
        "--end",
        type=Time(),
        show_default="the end",
        help="Time to stop before: seconds or hh:mm:ss.sss.",
    )
    @option(
        "--keep-going",
        is_flag=True,
        help="Use what can be read of a damaged input, with a warning.",
    )
    @option(
        "--keep-interlaced",
        is_flag=True,
        help="Leave interlaced frames as they are, without deinterlacing.",
    )
    @wraps(command)
    def wrapper(
        *,
        start: Fraction | None,
        end: Fraction | None,
        keep_going: bool,
        keep_interlaced: bool,
        **others: Any,
    ) -> Any:
        return command(span=Span(start, end, keep_going, keep_interlaced), **others)

    return wrapper
