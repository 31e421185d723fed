"""`lake local …`: steer AWS on this machine from the lake command. AWS has nothing like it."""

from typing import Annotated

import typer

from localaws import __main__ as launcher

application = typer.Typer(help="AWS on this machine: its clock and its mailbox.", no_args_is_help=True)


@application.command()
def status() -> None:
    """Say whether it runs, where, and what time it is there; 1 when it does not."""
    raise typer.Exit(launcher.status())


@application.command()
def advance(duration: Annotated[str, typer.Argument(help="For example 90s, 15m, 2h, 1d.")]) -> None:
    """Move the clock; schedules, buffers and alarms that become due are done before this returns."""
    launcher.advance(duration)


@application.command()
def flush() -> None:
    """Deliver what the streams have buffered, without letting time pass; 1 when some of it could not be delivered."""
    raise typer.Exit(launcher.flush())


@application.command()
def mail(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """The e-mails that SNS would have sent, oldest first."""
    launcher.mail(as_json)
