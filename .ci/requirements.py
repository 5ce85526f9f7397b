"""Requirements of the fast tests from pyproject.toml, one a line.

python .ci/requirements.py lowest          the lowest versions
python .ci/requirements.py without-torch   all but torch, which fast tests do without
"""

import re
import sys
import tomllib
from pathlib import Path

NOT_NEEDED = ("ruff", "pyright", "types-PyYAML", "trackeval", "scikit-image")
"""What no fast test imports."""
TORCH = ("torch", "torchvision")
REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(?P<extras>\[.*?\])?>=(?P<lowest>[\d.]+)")


def main(kind: str) -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    for line in [*project["dependencies"], *project["optional-dependencies"]["test"]]:
        found = REQUIREMENT.match(line)
        if found is None:
            raise SystemExit(f"{line} has no lowest version.")
        if found["name"] in NOT_NEEDED:
            continue
        if kind == "lowest":
            print(f"{found['name']}=={found['lowest']}")
        elif found["name"] not in TORCH:
            print(line)


if __name__ == "__main__":
    main(sys.argv[1])
