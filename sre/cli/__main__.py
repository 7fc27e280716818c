"""`python -m sre.cli` is `sre`."""

from sre.cli import main

main(prog_name="sre")
