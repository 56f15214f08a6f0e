"""The manual page, made of the commands themselves, as man(7) writes it. Pure."""

from collections.abc import Iterator
from typing import Any

from jambridge.errors import ExitStatus

_STATUS = {
    ExitStatus.OK: "It went well, or a signal ended it.",
    ExitStatus.USAGE: "The command line asks for something impossible.",
    ExitStatus.UNAVAILABLE: "What was asked for is not there.",
    ExitStatus.SOFTWARE: "A bug.",
    ExitStatus.IO: "A device or file failed.",
    ExitStatus.PERMISSION: "This user may not.",
    ExitStatus.CONFIG: "The configuration is wrong; each problem is told with its line.",
}
_FILES = {
    "/etc/jambridge/config.yaml": "The configuration; nothing in it is required.",
    "~/.config/jambridge/config.yaml": "A user's own, where there is none in /etc.",
    "/usr/share/doc/jambridge/jambridge.yaml": "Every key with its default and meaning.",
    "/etc/credstore/jambridge.*": "Secrets for the service, which the configuration calls by these names.",
    "/var/lib/jambridge": "What the service remembers: its name, room, lights and sessions.",
}
_ENVIRONMENT = {
    "JAMBRIDGE_CONFIG": "The configuration file.",
    "JAMBRIDGE_STATE": "The state directory.",
    "JAMBRIDGE_SECTION__KEY": "A key of the configuration, as JAMBRIDGE_HUB__PORT=3005.",
}


def page(root: Any, version: str) -> str:
    """Of `root`, a click group, and everything below it that is not hidden."""
    lines = [
        f'.TH JAMBRIDGE 1 "" "jambridge {version}" "User Commands"',
        ".SH NAME",
        r"jambridge \- joins a jam and lights the LEDs with the notes being played",
        ".SH SYNOPSIS",
        ".B jambridge",
        r"[\fICOMMAND\fR] [\fIOPTION\fR]...",
        ".SH DESCRIPTION",
        _plain(root.help or ""),
        "Without a command it is the daemon, as with",
        r"\fBrun\fR.",
        ".SH OPTIONS",
        *_parameters(root),
        ".SH COMMANDS",
    ]
    for words, command in _commands(root, ()):
        arguments = " ".join(_argument(one) for one in command.params if _is_argument(one))
        lines += [f".SS {_plain(' '.join(words))} {_plain(arguments)}".rstrip(), _plain(command.help or "")]
        lines += _parameters(command)
    lines += [".SH EXIT STATUS", *_table({str(int(status)): text for status, text in _STATUS.items()})]
    lines += [".SH FILES", *_table(_FILES), ".SH ENVIRONMENT", *_table(_ENVIRONMENT)]
    lines += [".SH SIGNALS", _plain("SIGTERM and SIGINT end it, the lights first; within three seconds.")]
    lines += [".SH SEE ALSO", r"\fBsystemctl\fR(1), \fBjournalctl\fR(1), \fBsystemd-creds\fR(1)"]
    return "\n".join(line for line in lines if line) + "\n"


def _commands(group: Any, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it; a group that does nothing by itself is left out."""
    for name, command in group.commands.items():
        words = (*above, name)
        if command.hidden:
            continue
        if not hasattr(command, "commands") or command.invoke_without_command:
            yield words, command
        if hasattr(command, "commands"):
            yield from _commands(command, words)


def _parameters(command: Any) -> Iterator[str]:
    for one in command.params:
        if _is_argument(one) or one.hidden or not one.opts:
            continue
        names = ", ".join(f"\\fB{_plain(name)}\\fR" for name in (*one.opts, *one.secondary_opts))
        value = "" if one.is_flag else f" \\fI{_plain(one.metavar or one.name.upper())}\\fR"
        yield from (".TP", names + value, _plain(one.help or _by_name(one)))


def _by_name(option: Any) -> str:
    """For an option that needs no word but its own name."""
    words = option.name.replace("_", " ")
    return f"{words.capitalize()}." if option.is_flag or option.default is None else f"Default: {option.default}."


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _argument(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _table(rows: dict[str, str]) -> Iterator[str]:
    for name, text in rows.items():
        yield from (".TP", f"\\fB{_plain(name)}\\fR", _plain(text))


def _plain(text: str) -> str:
    """Text in which nothing is a command of roff."""
    escaped = " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-")
    return r"\&" + escaped if escaped.startswith((".", "'")) else escaped
