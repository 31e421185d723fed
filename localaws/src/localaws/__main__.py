"""`python -m localaws …`."""

from localaws.cli import application

application(prog_name="python -m localaws")
