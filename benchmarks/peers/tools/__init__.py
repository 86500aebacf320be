"""The tools, each used as its own documentation says; ``examine(path)`` of its module gives what it says of a cell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tool:
    """A tool: its module here, the package that it is in, and what is run, for the document."""

    name: str
    module: str
    package: str | None
    used: str


TOOLS = (
    Tool("rnncheck", "rnncheck", None, "`rnncheck cell.py`. Errors and warnings are alarms, notes are advice."),
    Tool(
        "torchtest",
        "torchtest",
        "torchtest",
        "`test_suite(model, loss, optimizer, batch)`, once each with `test_vars_change`, `test_nan_vals` and "
        "`test_inf_vals`, so that all three are heard.",
    ),
    Tool(
        "torchtest2",
        "torchtest2",
        "torchtest2",
        "`check_model(model, inputs, targets, loss_fn=..., optimizer=..., gradcheck=True)`. `FAIL` and `WARN` are "
        "alarms.",
    ),
    Tool(
        "torch-audit",
        "torch_audit",
        "torch-audit",
        "`audit_dynamic(model, optimizer=..., every_n_steps=1)` around three training steps, without the hints "
        "about hardware (TA200 to TA203). `WARN` and above are alarms, `INFO` is advice.",
    ),
    Tool(
        "pytest-torch",
        "pytest_torch",
        "pytest-torch",
        "a test file with a `ModelSuite` of the checks contract, compile, export, torchscript, checkpoint, layouts and "
        "training for the model, and `assert_streaming_equivalent`, `assert_gradcheck` and (where it can be scripted) "
        "`assert_torchscript_parity` for the cell.",
    ),
    Tool(
        "gradcheck",
        "gradcheck",
        "torch",
        "`torch.autograd.gradcheck` of one step of the cell in float64, by its input (which it calls `input 0`) and "
        "its state (`input 1`, `input 2`).",
    ),
    Tool("ruff", "ruff", "ruff", "`ruff check --select ALL` of the file. All that it says is advice."),
)
