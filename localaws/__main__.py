"""`python -m localaws …`."""

from localaws.commands import application

application(prog_name="python -m localaws")
