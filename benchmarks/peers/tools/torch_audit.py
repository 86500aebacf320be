from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch_audit
from torch_audit.core import Severity

from peers import model
from peers.remarks import Remark, raised

TRAINING_STEPS = 3
HARDWARE = {"TA200", "TA201", "TA202", "TA203"}


def examine(path: Path) -> list[Remark]:
    tested = model.model(path)
    optimizer = model.optimizer(tested)
    inputs, targets = model.batch()
    remarks = []
    with torch_audit.audit_dynamic(tested, optimizer=optimizer, every_n_steps=1, ignore_rules=HARDWARE) as auditor:

        def train() -> None:
            for _ in range(TRAINING_STEPS):
                optimizer.zero_grad(set_to_none=True)
                auditor.backward(model.loss(auditor.forward(inputs), targets))
                auditor.optimizer_step()

        remarks += raised("training", train, path)
    result = auditor.finish()
    for finding in result.findings:
        where = finding.module_path or "model"
        title = result.rules[finding.rule_id].title
        remark = Remark(f"{finding.rule_id} {where}", f"{title}: {where}: {finding.message}")
        remarks.append(replace(remark, level="advice") if finding.severity is Severity.INFO else remark)
    return remarks
