"""The rules, in the order in which they are run and shown."""

from __future__ import annotations

from rnncheck.rules import (
    batch_leak,
    detached_state,
    ignored_input,
    ignored_recurrence,
    missing_state_size,
    mutated_state,
    partial_freeze,
    returned_old_state,
    unchanged_initial_state,
)
from rnncheck.rules.base import Rule

RULES: tuple[Rule, ...] = (
    returned_old_state.RULE,
    ignored_recurrence.RULE,
    unchanged_initial_state.RULE,
    ignored_input.RULE,
    partial_freeze.RULE,
    detached_state.RULE,
    mutated_state.RULE,
    batch_leak.RULE,
    missing_state_size.RULE,
)
IDS: tuple[str, ...] = tuple(rule.id for rule in RULES)


def by_id(rule_id: str) -> Rule:
    """The rule of this id; raises KeyError when there is none."""
    return {rule.id: rule for rule in RULES}[rule_id]
