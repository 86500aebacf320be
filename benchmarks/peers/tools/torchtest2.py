from __future__ import annotations

from pathlib import Path

import torchtest2

from peers import model
from peers.remarks import Remark


def examine(path: Path) -> list[Remark]:
    tested = model.model(path)
    inputs, targets = model.batch()
    report = torchtest2.check_model(
        tested, inputs, targets, loss_fn=model.loss, optimizer=model.optimizer(tested), gradcheck=True
    )
    return [Remark(result.name, str(result)) for result in (*report.failures, *report.warnings)]
