"""Work shared among processes, on this machine or on many, by Ray; the only room that knows Ray.

    this process: plans ──► hands out one task at a time ──► tracks, draws, writes
    a worker:     one GPU, or some cores; loads the model once ──► reads, finds, writes a file

Paths and spans of frames travel between them, frames never do. A worker that dies is replaced, and
its task is the next one to be handed out. README.md in this folder says what that gains.

- `shared`: `Workers`, who find the objects of one video; `detect`; `run_tasks`, a file each
- `drawing`: one video drawn and encoded in segments, each by a worker
- `options`: where the workers are; `worker`: what one does; `_pool`: who does what next
- `_finding`: one video's parts, found and used in order; `_spans`: how it is cut
- `_arrivals`: what workers send, as streams; `_ray`, `_start`: Ray, started and ended

It imports from the rooms up to `pipeline`.
"""

from vidseg.cluster.drawing import draw as draw
from vidseg.cluster.options import ClusterOptions as ClusterOptions
from vidseg.cluster.shared import Workers as Workers
from vidseg.cluster.shared import detect as detect
from vidseg.cluster.shared import run_tasks as run_tasks
from vidseg.cluster.worker import Outcome as Outcome
from vidseg.cluster.worker import Task as Task
