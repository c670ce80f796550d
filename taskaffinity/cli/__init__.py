"""The command line. A command parses, calls one function and prints; it imports heavy libraries when it runs."""

from __future__ import annotations

import gc
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import cache
from inspect import cleandoc
from typing import Annotated

import typer
from typer.exceptions import TyperException

from taskaffinity import __version__
from taskaffinity.cli import (
    compare,
    data,
    doctor,
    estimate,
    export,
    full,
    graph,
    group,
    init,
    pairwise,
    predict,
    pretrain,
    report,
    status,
    table,
    train,
    tune,
    verdicts,
)
from taskaffinity.cli.aliases import modernized
from taskaffinity.cli.console import signals, streams
from taskaffinity.cli.console.output_encoding import print_in_any_encoding
from taskaffinity.cli.options.run import SETTINGS
from taskaffinity.errors import InputError, input_error, meant, printable, shortened
from taskaffinity.studies.settings import setting_meant

app = typer.Typer(
    help="Find out which NLP tasks help or hurt each other when they are trained together.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("pairwise", epilog=SETTINGS)(pairwise.command)
app.command("full", epilog=SETTINGS)(full.command)
app.command("train", epilog=SETTINGS)(train.command)
app.command("tune", epilog=SETTINGS)(tune.command)
app.command("estimate", epilog=SETTINGS)(estimate.command)
app.command("graph")(graph.command)
app.command("table")(table.command)
app.command("report")(report.command)
app.command("group")(group.command)
app.command("compare")(compare.command)
app.command("verdicts")(verdicts.command)
app.command("pretrain")(pretrain.command)
app.command("export")(export.command)
app.command("predict")(predict.command)
app.command("init")(init.command)
app.add_typer(data.app, name="data")
app.command("status")(status.command)
app.command("doctor")(doctor.command)


def _join_lines(group: typer.Typer) -> None:
    """Use docstrings as help, one line per paragraph, so that help fits any width."""
    for one in group.registered_commands:
        paragraphs = cleandoc((one.callback and one.callback.__doc__) or "").split("\n\n")
        one.help = "\n\n".join(" ".join(text.split()) for text in paragraphs)


_join_lines(app)
_join_lines(data.app)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"taskaffinity {__version__}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Find out which NLP tasks help or hurt each other when they are trained together."""


def main() -> None:
    """Run a command and exit with its code.

    0: all done. 1: some runs failed. 2: bad usage or input, a full disk, or Ray does not start; one line on stderr says
    why. 130: interrupted. 143: terminated.
    """
    print_in_any_encoding()
    # imports create many long-lived objects, and frequent collections would cost about 1 s
    gc.set_threshold(50_000, 20, 20)
    with streams.surviving():
        code = _run(sys.argv[1:])
    sys.exit(code)


def _run(given: Sequence[str]) -> int:
    """Run a command; return its exit code."""
    arguments, lines = modernized(given)
    for line in lines:
        print(line, file=sys.stderr)
    try:
        _check_not_empty(given)
        with signals.answered():
            code: int = _commands()(arguments, standalone_mode=False) or 0
            streams.flush()
    except InputError as error:
        code = _refuse(str(error))
    except TyperException as error:
        code = _refuse(_with_hint(error.format_message()) or "a command is missing")
    except OSError as error:  # such as a folder without write permission, or a full disk
        code = _refuse(f"{error.filename or 'a file'}: {error.strerror or type(error).__name__}")
    except KeyboardInterrupt:
        code = 130
    except Exception:
        if not signals.interrupted():
            raise
        code = 130  # compiled code, such as pydantic's, wraps the exception of a signal in one of its own
    if code == 130:
        what = _after_interruption(sys.argv[1:])
        how = "interrupted"
        if signals.came():
            how, code = "terminated", signals.EXIT_CODE
        print(f"{how}; {what}: taskaffinity {shlex.join(sys.argv[1:])}", file=sys.stderr)
    return code


_TRAINING = ("pairwise", "full", "estimate", "tune", "train", "pretrain")
"""Commands that continue what they have stored."""


def _after_interruption(arguments: Sequence[str]) -> str:
    """Return what the same command does after an interruption."""
    name = next(iter(arguments), "")
    if name in ("export", "predict"):
        return "nothing was stored; this starts again"
    trains = name in _TRAINING or (name == "group" and any(word.startswith("--retrain") for word in arguments))
    return "this continues" if trains or name == "data" else "this starts again"


@cache
def _commands() -> Callable[..., int | None]:
    """Typer's commands, built once per process."""
    return typer.main.get_command(app)


def _check_not_empty(arguments: Sequence[str]) -> None:
    """Raise for an empty value, because as a path it would be the current folder."""
    for before, word in zip(["", *arguments], arguments, strict=False):
        option, equals, value = word.partition("=")
        if not word.strip():
            where = before if before.startswith("-") and "=" not in before else "an argument"
        elif equals and option.startswith("--") and not value.strip():
            where = option
        else:
            continue
        raise input_error(where, "an empty value", "a value; is a variable of the shell not set?")


def _with_hint(message: str) -> str:
    """Add a hint to a message of typer: what the user may have meant."""
    if extra := re.search(r"unexpected extra argument(?:s|\(s\))? \((.*)\)", message):
        if extra[1].endswith((".yaml", ".yml")):
            return f"{message}; did you mean --suite {extra[1]}?"
        if "--set" in sys.argv:
            return f"{message}; --set takes KEY=VALUE, in one word"
    message = message.replace("Value error, ", "")  # raised by pydantic
    if choice := re.search(r"'([^']*)' is not one of (.*)", message):
        legal = re.findall(r"'([^']*)'", choice[2])
        return f"{message.rstrip('.')}{meant(choice[1], legal)}"
    if (option := re.match(r"No such option: (--[\w-]+)", message)) and (whose := _whose(option[1])):
        return f"{option[0]}{whose}"
    if message.startswith("No such command 'inspect'"):
        return f"{message.rstrip('.')}; did you mean data inspect?"
    return message


_PYTHON_NAMES = {
    "output_dir": "--results",
    "settings": "--set",
    "keep_predictions": "--predictions",
    "n_seeds": "--seeds",
}
"""Other names of options: their parameters in Python, and a common one."""


def _whose(option: str) -> str:
    """Return the setting or the commands that an unknown option belongs to, for a message."""
    commands = typer.main.get_command(app)
    assert isinstance(commands, typer.core.TyperGroup)  # the app has several commands
    options = {name: {opt for of in command.params for opt in of.opts} for name, command in commands.commands.items()}
    key = option.removeprefix("--").replace("-", "_")
    own = options.get(next(iter(sys.argv[1:]), ""), ())
    if (same := _PYTHON_NAMES.get(key, f"--{key.replace('_', '-')}")) in own:
        return f"; it is {same} here"
    if "--set" in own and (setting := setting_meant(key)):
        return f"; it is a setting: --set {setting}=VALUE"
    others = [name for name, names in options.items() if option in names]
    return f"; it is an option of taskaffinity {' and '.join(others)}" if others else ""


def _refuse(message: str) -> int:
    print(f"taskaffinity: {printable(shortened(' '.join(message.split())))}", file=sys.stderr)
    return 2
