"""What a package ships beside the program: its manual page, and how shells complete it."""

from typing import Annotated, Literal

import typer

from jambridge import __version__

COMPLETE = "_JAMBRIDGE_COMPLETE"
"""The environment in which a shell asks for completions."""


def answer_shells() -> None:
    """Let completions be asked for, without the options with which typer would install them."""
    from typer.completion import completion_init  # type: ignore[attr-defined]

    completion_init()


def manual(context: typer.Context) -> None:
    """The manual page, for man(1)."""
    from jambridge.commands.manual import page

    typer.echo(page(context.find_root().command, __version__), nl=False)


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(metavar="bash|zsh|fish")]) -> None:
    """What the shell reads to complete our commands: for bash, eval "$(jambridge completion bash)"."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    typer.echo(get_completion_script(prog_name="jambridge", complete_var=COMPLETE, shell=shell))
