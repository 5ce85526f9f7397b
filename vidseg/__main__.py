"""`python -m vidseg` is the command `vidseg`."""

from vidseg.cli import main

if __name__ == "__main__":
    main(prog_name="vidseg")
