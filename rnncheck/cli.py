"""The command line: parse, check, render, exit. Imports no framework and no NumPy."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import rnncheck

if TYPE_CHECKING:
    from collections.abc import Callable

    from rnncheck.findings import Report
    from rnncheck.isolation.announcements import Step
    from rnncheck.isolation.streams import Progress
    from rnncheck.isolation.supervisor import Child
    from rnncheck.settings import Settings

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"rnncheck {rnncheck.__version__}")
        raise typer.Exit


def _list_rules(asked: bool) -> None:
    if asked:
        from rnncheck.rules import RULES

        width = max(len(rule.id) for rule in RULES)
        for rule in RULES:
            typer.echo(f"{rule.id:<{width}}  {rule.summary}")
        raise typer.Exit


def _explain(rule_id: str | None) -> None:
    if rule_id is not None:
        from rnncheck.rules import IDS, by_id

        if rule_id not in IDS:
            raise typer.BadParameter(f"there is no rule '{rule_id}'; the rules are {', '.join(IDS)}")
        typer.echo(f"{rule_id}\n\n{by_id(rule_id).documentation}")
        raise typer.Exit


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def command(
    context: typer.Context,
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET...", help="module:Attr.nested, file.py:Attr, file.py or a folder.", show_default=False
        ),
    ],
    backend: Annotated[
        str | None, typer.Option(metavar="auto|tf|torch", help="The framework; auto goes by what the target is.")
    ] = None,
    kwargs: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="A constructor argument: a literal, or torch.tanh, or pkg.Name(8). Repeatable."
        ),
    ] = None,
    input_shape: Annotated[
        str | None, typer.Option(metavar="10 or 3,16,16", help="One row of input at one step.")
    ] = None,
    method: Annotated[str | None, typer.Option(metavar="NAME", help="Another method than call or forward.")] = None,
    state: Annotated[
        str | None,
        typer.Option(metavar="h:8,c:8", help="The parts of the state, with the sizes of one row: h:8, 8,8 or h:4x6x7."),
    ] = None,
    call_kwargs: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A further argument of the step, such as ts=1.0. Repeatable."),
    ] = None,
    initial_state: Annotated[
        str | None, typer.Option(metavar="cell|zeros|ones|random", help="Where the unroll starts.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Timesteps to unroll (7).", show_default=False)] = None,
    batch: Annotated[int | None, typer.Option(help="Rows in the batch (3).", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all random numbers (0).", show_default=False)] = None,
    dtype: Annotated[
        str | None, typer.Option(metavar="float32|float64|...", help="Compute in this dtype; default: the cell's own.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="cpu|cuda|cuda:1|mps", help="Run it there; default: the CPU, or where an instance lives."),
    ] = None,
    select: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Run only these rules. Repeatable, or separated by commas.")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Do not count what these rules find.")
    ] = None,
    fail_on: Annotated[
        str | None, typer.Option(metavar="error|warning|never", help="What makes the exit status 1 (error).")
    ] = None,
    output_format: Annotated[
        str | None,
        typer.Option(
            metavar="full|concise|json", envvar="RNNCHECK_OUTPUT_FORMAT", show_envvar=True, help="The report's form."
        ),
    ] = None,
    output_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report there, not to stdout.")
    ] = None,
    color: Annotated[
        str, typer.Option(metavar="auto|always|never", help="Colour in the full report.", show_default=False)
    ] = "auto",
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="How long one may load, or be checked (60).", show_default=False),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(metavar="8G", help="How much memory a target may take (nine tenths of what is free)."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("-j", "--jobs", help="Targets that are checked at a time (1).", show_default=False)
    ] = None,
    isolate: Annotated[
        bool | None,
        typer.Option(
            "--isolate/--no-isolate", help="Run targets in a process of their own, or in this one.", show_default=False
        ),
    ] = None,
    defs_only: Annotated[
        bool | None,
        typer.Option("--defs-only", help="Run only a file's imports, definitions and constants.", show_default=False),
    ] = None,
    explain: Annotated[
        str | None, typer.Option(metavar="RULE", callback=_explain, is_eager=True, help="Print a rule's documentation.")
    ] = None,
    list_rules: Annotated[
        bool, typer.Option("--list-rules", callback=_list_rules, is_eager=True, help="List the rules.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Tell whether the hidden state of a recurrent cell really carries memory.

    Exit status: 0 nothing to fail on, 1 findings, 2 no verdict for some target, 130 interrupted.
    """
    from rnncheck.errors import UsageError
    from rnncheck.settings import configured, memory_size, state_parts

    given: dict[str, Any] = {
        "backend": backend, "method": method, "initial_state": initial_state, "steps": steps, "batch": batch,
        "seed": seed, "dtype": dtype, "device": device, "fail_on": fail_on, "output_format": output_format,
        "defs_only": defs_only, "timeout": timeout, "jobs": jobs, "isolate": isolate,
    }  # fmt: skip
    try:
        given["kwargs"] = _keywords("--kwargs", kwargs)
        given["call_kwargs"] = _keywords("--call-kwargs", call_kwargs)
        given["state"] = state_parts(state) if state is not None else None
        given["input_shape"] = _shape(input_shape) if input_shape is not None else None
        given["memory"] = memory_size(memory) if memory is not None else None
        given["select"], given["ignore"] = _names(select), _names(ignore)
        settings = configured(Path.cwd(), given)
        coloured = _colored(color, output_file)
        file = output_file.absolute() if output_file is not None else None
    except UsageError as error:
        raise typer.BadParameter(str(error)) from error
    except FileNotFoundError as error:
        raise typer.BadParameter("The current folder is no longer there.") from error
    status = _run(targets, settings, context.obj, coloured, file)
    # What the target wrote past the redirection still lies in the buffer; it goes to stderr.
    for stream in (sys.__stdout__, sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if stream is not None:
                stream.flush()
    # Threads and exit handlers that the target left behind must not hold up or change the exit status.
    os._exit(status)


def _run(targets: list[str], settings: Settings, child: Child | None, coloured: bool, output_file: Path | None) -> int:
    from rnncheck.isolation import streams

    terminal = sys.stdout is not None and sys.stdout.isatty()
    width = min(shutil.get_terminal_size().columns, 100) if terminal else 80
    guarded = streams.guard()
    try:
        with streams.Progress(guarded.err).running() as progress:
            report, render = _checked(targets, settings, child, progress, coloured, width)
            progress.announce("writing the report")
            text = render(report)
        if settings.output_format != "full":
            for result in report.results:
                for remark in result.remarks:
                    streams.write(guarded.err, f"rnncheck: {result.target}: {remark}\n")
        if output_file is None:
            streams.write(guarded.out, text)
        else:
            output_file.write_text(text, encoding="utf-8")
        return report.exit_status()
    except KeyboardInterrupt:
        streams.write(guarded.err, "rnncheck: interrupted\n")
        return 130
    except OSError as error:
        where = output_file if output_file is not None else "the report"
        streams.write(guarded.err, f"rnncheck: {where} could not be written: {error.strerror}\n")
        return 2
    except BaseException as error:
        streams.write(
            guarded.err, f"rnncheck: it failed itself: {type(error).__name__}: {error}. Please report this.\n"
        )
        return 2


def _checked(
    targets: list[str], settings: Settings, child: Child | None, progress: Progress, color: bool, width: int
) -> tuple[Report, Callable[[Report], str]]:
    """The report, and what renders it."""
    from rnncheck.formats import renderer

    def announce(step: Step) -> None:
        progress.announce(str(step))

    if not settings.isolate:
        from rnncheck.checking import check_targets

        # Before a target can change what can be imported.
        render = renderer(settings.output_format, color=color, width=width)
        return check_targets(targets, settings, announce), render
    from rnncheck.isolation.supervisor import Supervisor

    # What renders is loaded while the child is at work.
    threading.Thread(target=renderer, args=[settings.output_format], daemon=True).start()
    report = Supervisor(settings, announce, child).check(targets)
    return report, renderer(settings.output_format, color=color, width=width)


def _keywords(option: str, given: list[str] | None) -> dict[str, Any] | None:
    from rnncheck.errors import UsageError
    from rnncheck.usercode.expressions import value_of

    found = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise UsageError(f"{option} takes name=value, not '{text}'.")
        found[name.strip()] = value_of(value)
    return found or None


def _shape(text: str) -> tuple[int, ...]:
    from rnncheck.errors import UsageError

    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise UsageError(f"--input-shape takes whole numbers such as 10 or 3,16,16, not '{text}'.") from error


def _names(given: list[str] | None) -> tuple[str, ...] | None:
    return tuple(name.strip() for text in given for name in text.split(",") if name.strip()) if given else None


def _colored(choice: str, output_file: Path | None) -> bool:
    """Whether to colour: as asked, else on a terminal unless NO_COLOR is set; FORCE_COLOR colours a pipe."""
    from rnncheck.errors import UsageError
    from rnncheck.settings import COLORS

    if choice not in COLORS:
        raise UsageError(f"--color takes {', '.join(COLORS)}, not '{choice}'.")
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR") or output_file is not None:
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def main(child: Child | None = None) -> None:
    """Read the command line and do what it asks for; ``child`` is a process that already waits for targets."""
    app(prog_name="rnncheck", obj=child)
