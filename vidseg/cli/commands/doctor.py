"""vidseg doctor."""

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from pathlib import Path

import click

from vidseg.cli.exit_codes import sentence_for
from vidseg.cli.json_or_table import JSON_OPTION, print_report
from vidseg.cli.options import examples, verbosity_options
from vidseg.cpu_budget import cores
from vidseg.version import __version__

LIBRARIES = {
    "torch": ("torch", "torch"),
    "torchvision": ("torchvision", "torchvision"),
    "av": ("PyAV", "av"),
    "cv2": ("OpenCV", "opencv-python"),
    "moviepy": ("moviepy", "moviepy"),
    "numpy": ("numpy", "numpy"),
    "scipy": ("scipy", "scipy"),
    "PIL": ("Pillow", "pillow"),
    "pycocotools": ("pycocotools", "pycocotools"),
}
"""Module to the name and the package of every library that a run needs."""
EXTRAS = {
    "yaml": ("yolo", "datasets and results in YOLO's format"),
    "pillow_heif": ("heic", "photos of iPhones (HEIC)"),
    "trackeval": ("evaluate", "measures of tracking beside vidseg's own"),
    "onnxscript": ("onnx", "models written as ONNX files"),
}
"""Module to the extra of the package that installs it, and what it is for."""
CPU_NAMES = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about this machine."""

    name: str
    value: str
    advice: str | None = None
    """What to do, where something is missing."""
    broken: bool = False
    """Whether vidseg cannot work like this."""


@click.command(epilog=examples("vidseg doctor", "vidseg doctor --json | jq .findings"))
@JSON_OPTION
@verbosity_options
def doctor(*, as_json: bool) -> None:
    """Tell what this machine has, and what to do about what is missing.

    Libraries, processor, graphics card, codecs, and the models that are here already. Exit code 1
    means that a library is missing which every run needs.
    """
    findings = [*_libraries()]
    broken = any(each.broken for each in findings)
    for check in (_processor, _graphics_card, _codecs):
        if not broken:
            findings += check()
    findings += [*_models(), *_extras()]
    print_report(
        {"findings": [asdict(each) for each in findings]}, table(findings), as_json=as_json
    )
    if broken:
        click.get_current_context().exit(1)


def table(findings: list[Finding]) -> list[str]:
    """A line for each fact, with what to do under it."""
    width = max(len(each.name) for each in findings)
    lines = list[str]()
    for each in findings:
        lines.append(f"{each.name:<{width}}  {each.value}")
        if each.advice is not None:
            lines.append(f"{'':<{width}}  -> {each.advice}")
    return lines


def _libraries() -> Iterator[Finding]:
    yield Finding("vidseg", f"{__version__}, in {Path(__file__).parents[2]}")
    yield Finding("Python", f"{platform.python_version()}, {sys.executable}")
    for module, (name, package) in LIBRARIES.items():
        yield _library(module, name, package)


def _library(module: str, name: str, package: str) -> Finding:
    try:
        version = getattr(import_module(module), "__version__", None)
    except ImportError as error:
        advice = sentence_for(error) or f"Install it: pip install --force-reinstall {package}"
        return Finding(name, f"cannot be loaded: {error}", advice, broken=True)
    if version is None:
        with suppress(metadata.PackageNotFoundError):
            version = metadata.version(package)
    return Finding(name, version or "there")


def _processor() -> Iterator[Finding]:
    import torch

    from vidseg.models.precision import resolve_precision

    precision = str(resolve_precision("auto", torch.device("cpu"))).removeprefix("torch.")
    capability = torch.backends.cpu.get_cpu_capability()
    yield Finding("processor", f"{_cpu_name()}; models run with {capability} in {precision}")
    mine, all_of_it = cores(), os.cpu_count() or 1
    beside = "" if mine == all_of_it else f" of {all_of_it}: the others are not for this process"
    yield Finding("cores", f"{mine}{beside}")


def _cpu_name() -> str:
    with suppress(OSError):
        for line in CPU_NAMES.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _graphics_card() -> Iterator[Finding]:
    import torch

    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            memory = torch.cuda.get_device_properties(number).total_memory / 1e9
            name = torch.cuda.get_device_name(number)
            yield Finding(f"cuda:{number}", f"{name}, {memory:.0f} GB")
    elif torch.backends.mps.is_available():
        yield Finding("graphics card", "Apple's; use it with --device mps")
    elif torch.version.cuda is None:
        advice = "With an NVIDIA card, install torch's CUDA build; see pytorch.org."
        yield Finding("graphics card", "none: this torch is a build for processors", advice)
    else:
        advice = "If there is an NVIDIA card, check its driver: nvidia-smi"
        yield Finding("graphics card", "torch finds none; models run on the processor", advice)


def _codecs() -> Iterator[Finding]:
    from vidseg.video.encoding.available_codecs import (
        encodes_on_a_card,
        read_codecs,
        written_codecs,
    )

    for name, known in (("reads", read_codecs()), ("writes", written_codecs())):
        missing = [codec for codec, there in known.items() if not there]
        advice = "Install PyAV's own wheel: pip install --force-reinstall av" if missing else None
        without = f"; not {', '.join(missing)}" if missing else ""
        there = ", ".join(codec for codec in known if codec not in missing)
        yield Finding(name, f"{there}{without}", advice)
    card = encodes_on_a_card()
    yield Finding("--codec auto", f"encodes on the {'graphics card' if card else 'processor'}")


def _models() -> Iterator[Finding]:
    from vidseg.models.catalog import MODELS
    from vidseg.models.torchvision_weights import COCO_WEIGHTS, weights_path

    for name, model in MODELS.items():
        file = model.file or weights_path(COCO_WEIGHTS[name])
        if file.exists():
            yield Finding(name, f"is here: {file}, {file.stat().st_size / 1e6:.0f} MB")
        elif model.file is not None:
            yield Finding(name, f"{file} is missing", "Install vidseg again.")
        else:
            size = COCO_WEIGHTS[name].size / 1e6
            advice = f"Its first use downloads {size:.0f} MB to {file}; --weights-url is a mirror."
            yield Finding(name, "is not here yet", advice)


def _extras() -> Iterator[Finding]:
    for module, (extra, purpose) in EXTRAS.items():
        try:
            import_module(module)
        except ImportError:
            advice = f"In a clone of vidseg: pip install '.[{extra}]'"
            yield Finding(f"[{extra}]", f"not installed: {purpose}", advice)
        else:
            yield Finding(f"[{extra}]", f"installed: {purpose}")
