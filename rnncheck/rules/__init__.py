"""The rules, in the order in which they are run and shown."""

from __future__ import annotations

from rnncheck.rules import (
    batch_leak,
    detached_state,
    exploding_state,
    graph_mismatch,
    ignored_input,
    ignored_recurrence,
    leaked_state,
    missing_state_size,
    mutated_state,
    nonfinite_state,
    partial_freeze,
    random_state,
    returned_old_state,
    state_dtype_mismatch,
    state_shape_mismatch,
    swapped_states,
    unchanged_initial_state,
    untrained_weight,
    unused_weight,
    vanishing_gradient,
    wrong_gradient,
    wrong_state_structure,
)
from rnncheck.rules.base import Rule

RULES: tuple[Rule, ...] = (
    wrong_state_structure.RULE,
    state_shape_mismatch.RULE,
    state_dtype_mismatch.RULE,
    nonfinite_state.RULE,
    returned_old_state.RULE,
    ignored_recurrence.RULE,
    unchanged_initial_state.RULE,
    ignored_input.RULE,
    partial_freeze.RULE,
    swapped_states.RULE,
    detached_state.RULE,
    leaked_state.RULE,
    mutated_state.RULE,
    batch_leak.RULE,
    random_state.RULE,
    exploding_state.RULE,
    vanishing_gradient.RULE,
    wrong_gradient.RULE,
    unused_weight.RULE,
    untrained_weight.RULE,
    graph_mismatch.RULE,
    missing_state_size.RULE,
)
IDS: tuple[str, ...] = tuple(rule.id for rule in RULES)


def by_id(rule_id: str) -> Rule:
    """The rule of this id; raises KeyError when there is none."""
    return {rule.id: rule for rule in RULES}[rule_id]
