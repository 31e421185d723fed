"""`python -m localaws …`."""

import sys

import typer

from localaws.commands import application

try:
    sys.exit(application(prog_name="python -m localaws", standalone_mode=False))
except typer.Exit as stop:
    sys.exit(stop.exit_code)
except (RuntimeError, ValueError) as error:
    sys.exit(f"localaws: {error}")
