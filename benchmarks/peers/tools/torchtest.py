from __future__ import annotations

from functools import partial
from pathlib import Path

import torchtest

from peers import model
from peers.remarks import Remark, raised


def examine(path: Path) -> list[Remark]:
    remarks = []
    for test in ("test_vars_change", "test_nan_vals", "test_inf_vals"):
        tested = model.model(path)
        suite = partial(
            torchtest.test_suite, tested, model.loss, model.optimizer(tested), list(model.batch()), **{test: True}
        )
        remarks += raised(test, suite, path)
    return remarks
