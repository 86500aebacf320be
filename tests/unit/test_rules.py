"""Each rule over hand-made traces: one row of the evidence table a test."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from traces import UNITS, behaviour, computed, layer, stuck, trace

from rnncheck.findings import Finding, Severity, Suppression
from rnncheck.rules import IDS, by_id
from rnncheck.rules.base import Rule
from rnncheck.run import apply
from rnncheck.settings import Settings
from rnncheck.trace import (
    Chance,
    Cut,
    Declaration,
    Fault,
    GradientFault,
    Growth,
    Initial,
    Leak,
    Mismatch,
    Mutation,
    Retyped,
    SharedNorm,
    Span,
    Swap,
    Trace,
    Weight,
    WrongGradient,
)  # fmt: skip


def found(given: Trace, **settings: object) -> list[tuple[str, str, int | None, str | None]]:
    findings, _ = apply(given, Settings(**settings))  # type: ignore[arg-type]
    return [(finding.rule, finding.severity, finding.state_index, finding.explained_by) for finding in findings]


def only(given: Trace) -> Finding:
    findings, _ = apply(given, Settings())
    roots = [finding for finding in findings if finding.explained_by is None]
    assert len(roots) == 1
    return roots[0]


def reason(rule: str, given: Trace) -> str | None:
    """Why a rule says nothing of a Trace."""
    return by_id(rule).inapplicable(given)


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_a_healthy_cell_has_no_finding(slots: int) -> None:
    findings, outcomes = apply(trace(slots), Settings())
    assert findings == ()
    assert [(outcome.rule, outcome.outcome) for outcome in outcomes] == [
        (rule, "skipped" if rule in ("missing-state-size", "graph-mismatch") else "passed") for rule in IDS
    ]


class TestReturnedOldState:
    def test_the_only_slot_stuck_is_an_error_and_explains_the_initial_state(self) -> None:
        assert found(stuck()) == [
            ("returned-old-state", "error", 0, None),
            ("unchanged-initial-state", "error", 0, "returned-old-state"),
        ]

    def test_every_slot_stuck_is_one_error(self) -> None:
        roots = [item for item in found(stuck(2, (0, 1))) if item[3] is None]
        assert roots == [("returned-old-state", "error", None, None)]

    def test_one_slot_whose_new_value_was_dropped_is_an_error(self) -> None:
        given = stuck(2, (1,), computed=((), (computed("c_new"),)))
        finding = only(given)
        assert (finding.severity, finding.state, finding.related[0].line) == ("error", "c", 3)
        assert finding.message == "forward() computes c_new and returns c."

    @pytest.mark.parametrize("lacking", ["reads_slot", "reads_input", "writes"])
    def test_a_local_that_is_no_new_value_does_not_make_it_an_error(self, lacking: str) -> None:
        given = stuck(2, (1,), computed=((), (computed("c_part", **{lacking: False}),)))
        assert only(given).severity == "warning"

    def test_a_slot_only_carried_along_is_a_warning(self) -> None:
        assert found(stuck(2, (1,))) == [("returned-old-state", "warning", 1, None)]

    def test_the_only_slot_that_is_read_is_an_error(self) -> None:
        given = stuck(2, (1,))
        built = dataclasses.replace(given.built, read=(False, True))
        roots = [item for item in found(dataclasses.replace(given, built=built)) if item[1] != "note"]
        assert roots == [("returned-old-state", "error", 1, None)]

    def test_a_slot_that_the_cell_itself_fills_is_a_note(self) -> None:
        given = stuck(2, (1,), initial=Initial("init_hidden()", True, (True, False)))
        assert found(given) == [("returned-old-state", "note", 1, None)]

    def test_a_slot_filled_by_the_caller_of_unknown_start_is_a_warning(self) -> None:
        given = stuck(2, (1,), initial=Initial("zeros", False, (True, False)))
        assert found(given) == [("returned-old-state", "warning", 1, None)]

    def test_a_constant_mask_of_whole_numbers_is_a_note(self) -> None:
        given = stuck(2, (1,))
        slots = (given.slots[0], dataclasses.replace(given.slots[1], dtype="bool"))
        assert found(dataclasses.replace(given, slots=slots)) == [("returned-old-state", "note", 1, None)]

    def test_a_gate_that_starts_closed_is_a_note(self) -> None:
        given = stuck(1, (0,), same_object=False, redrawn=(behaviour(),))
        assert {item[1] for item in found(given)} == {"note"}

    def test_redrawn_weights_that_blow_up_prove_nothing(self) -> None:
        dead = behaviour(moves=(False,), moves_from_initial=(False,), finite=False)
        given = stuck(1, (0,), same_object=False, redrawn=(dead,))
        assert found(given)[0] == ("returned-old-state", "note", 0, None)

    def test_the_same_object_is_proof_whatever_the_redrawn_weights_do(self) -> None:
        dead = behaviour(moves=(False,), moves_from_initial=(False,), finite=False)
        assert found(stuck(1, (0,), same_object=True, redrawn=(dead,)))[0][1] == "error"


class TestIgnoredRecurrence:
    def test_the_whole_state_is_an_error_that_names_the_idle_weight(self) -> None:
        weights = (Weight("W_ih.weight", (8, 5), True, False), Weight("W_hh.weight", (8, 8), False, False))
        given = trace(built=behaviour(read=(False,)), weights=weights)
        finding = only(given)
        assert (finding.rule, finding.severity) == ("ignored-recurrence", "error")
        assert "W_hh.weight goes unused" in finding.message
        assert finding.suggestion == "add self.W_hh(h) where the new state is computed"

    def test_a_recurrence_that_starts_at_zero_is_a_note(self) -> None:
        given = trace(built=behaviour(read=(False,)), redrawn=(behaviour(),))
        assert found(given) == [("ignored-recurrence", "note", None, None)]

    def test_a_recurrence_still_dead_with_other_weights_is_an_error(self) -> None:
        dead = behaviour(read=(False,))
        assert found(trace(built=dead, redrawn=(dead,)))[0][1] == "error"

    def test_connected_but_undecided_is_a_note(self) -> None:
        dead = behaviour(read=(False,))
        blown = behaviour(read=(False,), finite=False)
        assert found(trace(built=dead, redrawn=(blown,)))[0][1] == "note"

    def test_one_slot_with_idle_weights_is_a_warning(self) -> None:
        weights = (Weight("U.weight", (8, 8), False, False),)
        given = trace(2, built=behaviour(2, read=(False, True)), weights=weights)
        assert found(given) == [("ignored-recurrence", "warning", 0, None)]

    def test_one_slot_whose_idle_weight_another_method_uses_is_a_note(self) -> None:
        weights = (Weight("head.weight", (8, 8), False, False, elsewhere=True),)
        given = trace(2, built=behaviour(2, read=(False, True)), weights=weights)
        assert found(given) == [("ignored-recurrence", "note", 0, None)]

    def test_one_slot_with_idle_rows_is_a_warning(self) -> None:
        weights = (Weight("gates.weight", (32, 13), True, False, (8,)),)
        given = trace(2, built=behaviour(2, read=(True, False)), weights=weights)
        assert found(given) == [("ignored-recurrence", "warning", 1, None)]

    @pytest.mark.parametrize("shape", [(8,), (1, 8), (5, 7)])
    def test_an_idle_weight_that_could_not_take_the_slot_is_no_evidence(self, shape: tuple[int, ...]) -> None:
        given = trace(2, built=behaviour(2, read=(False, True)), weights=(Weight("h0", shape, False, False),))
        assert found(given) == [("ignored-recurrence", "note", 0, None)]

    def test_one_slot_that_the_code_names_to_no_effect_is_a_warning(self) -> None:
        given = trace(2, built=behaviour(2, read=(False, True)))
        method = dataclasses.replace(
            given.method, lost=(Span(4, 4, 9, "h = zeros_like(h)"), None), overwritten=(True, False)
        )
        findings, _ = apply(dataclasses.replace(given, method=method), Settings())
        assert [(item.severity, item.location.line) for item in findings] == [("warning", 4)]

    def test_what_follows_from_a_dropped_new_value_is_explained_by_it(self) -> None:
        given = stuck(2, (1,), computed=((), (computed("c_new"),)))
        built = dataclasses.replace(given.built, read=(False, True))
        roots = [item for item in found(dataclasses.replace(given, built=built)) if item[3] is None]
        assert [item[0] for item in roots] == ["returned-old-state"]

    def test_one_slot_kept_for_the_caller_is_a_note(self) -> None:
        given = trace(2, built=behaviour(2, read=(False, True)))
        assert found(given) == [("ignored-recurrence", "note", 0, None)]


class TestUnchangedInitialState:
    def test_an_absorbing_declared_start_is_an_error(self) -> None:
        given = trace(built=behaviour(moves_from_initial=(False,)))
        assert found(given) == [("unchanged-initial-state", "error", 0, None)]

    def test_an_assumed_start_is_a_warning(self) -> None:
        given = trace(built=behaviour(moves_from_initial=(False,)), initial=Initial("zeros", False, (True,)))
        assert found(given) == [("unchanged-initial-state", "warning", 0, None)]

    def test_a_start_that_other_weights_leave_is_a_note(self) -> None:
        given = trace(built=behaviour(moves_from_initial=(False,)), redrawn=(behaviour(),))
        assert found(given) == [("unchanged-initial-state", "note", 0, None)]

    def test_one_slot_of_several_is_a_warning(self) -> None:
        given = trace(2, built=behaviour(2, moves_from_initial=(True, False)))
        assert found(given) == [("unchanged-initial-state", "warning", 1, None)]

    def test_one_that_nothing_wakes_in_training_is_a_warning(self) -> None:
        finding = only(trace(asleep=True))
        assert (finding.rule, finding.severity, finding.state_index) == ("unchanged-initial-state", "warning", 0)
        assert "the gradient by every weight is zero" in finding.message


class TestIgnoredInput:
    def test_an_input_without_effect_is_an_error(self) -> None:
        given = trace(
            built=behaviour(hears=False),
            redrawn=(behaviour(hears=False),),
            weights=(Weight("W.weight", (UNITS, UNITS), True, False), Weight("U.weight", (UNITS, 5), False, False)),
        )
        finding = only(given)
        assert (finding.rule, finding.severity) == ("ignored-input", "error")
        assert finding.message == "x reaches neither the next state nor the output of forward(); U.weight goes unused."
        assert finding.suggestion == "add self.U(x) to the new state"

    def test_one_that_other_weights_wake_is_a_note(self) -> None:
        assert found(trace(built=behaviour(hears=False), redrawn=(behaviour(),))) == [
            ("ignored-input", "note", None, None)
        ]

    def test_it_follows_from_a_state_that_never_moves(self) -> None:
        given = stuck()
        given = dataclasses.replace(given, built=dataclasses.replace(given.built, hears=False))
        assert ("ignored-input", "error", None, "returned-old-state") in found(given)

    @pytest.mark.parametrize(
        ("unread", "which"),
        [((3, 4), "features 3–4 of the 5 of x reach"), ((2,), "feature 2 of the 5 of x reaches"),
         ((0, 4), "2 features of the 5 of x reach")],
    )  # fmt: skip
    def test_features_without_effect_are_a_note(self, unread: tuple[int, ...], which: str) -> None:
        finding = only(trace(unread=unread, features=5, taken=Span(7, 7, 9, "a = x[:, :3]")))
        assert (finding.severity, finding.location.line) == ("note", 7)
        assert finding.message == f"{which} neither the next state nor the output of forward()."


class TestNonfiniteState:
    def test_a_gradient_that_is_no_number_from_a_declared_start_is_an_error(self) -> None:
        finding = only(trace(gradient_fault=GradientFault(1, Span(5, 5, 9, "n = s.sqrt()"))))
        assert (finding.rule, finding.severity, finding.location.line) == ("nonfinite-state", "error", 5)
        assert "NaN or infinite at step 1, from its initial state (init_hidden())" in finding.message

    def test_from_a_start_that_was_assumed_it_is_a_warning(self) -> None:
        given = trace(gradient_fault=GradientFault(0, None), initial=Initial("zeros", False, (True,)))
        assert found(given) == [("nonfinite-state", "warning", None, None)]


class TestPartialFreeze:
    def frozen(self, *units: int, shape: tuple[int, ...] = (UNITS,)) -> Trace:
        still = np.zeros(shape, bool)
        still.reshape(-1)[list(units)] = True
        return trace(built=behaviour(still=(still,)))

    def test_a_block_of_units_is_an_error_that_names_them(self) -> None:
        finding = only(self.frozen(4, 5, 6, 7))
        assert (finding.rule, finding.severity, finding.state_index) == ("partial-freeze", "error", 0)
        assert finding.message.startswith("forward() carries units 4–7 of 8 of h along as they came in")

    def test_scattered_units_are_a_warning(self) -> None:
        assert found(self.frozen(1, 4)) == [("partial-freeze", "warning", 0, None)]

    def test_a_block_along_another_axis(self) -> None:
        assert "carries unit 1 along axis 1 of 2x4" in only(self.frozen(4, 5, 6, 7, shape=(2, 4))).message

    def test_units_that_other_weights_move_are_not_frozen(self) -> None:
        given = self.frozen(4, 5)
        moving = behaviour(still=(np.zeros(UNITS, bool),))
        assert found(dataclasses.replace(given, redrawn=(moving,))) == []

    def test_a_slot_that_does_not_move_at_all_is_not_partly_frozen(self) -> None:
        assert found(self.frozen(*range(UNITS))) == []


class TestMutatedState:
    def test_a_tensor_that_is_ruined_is_an_error(self) -> None:
        finding = only(trace(mutations=(Mutation(0, None, False, False, Span(7, 7, 9, "h.mul_(2)")),)))
        assert (finding.rule, finding.severity, finding.state_index, finding.location.line) == (
            "mutated-state", "error", 0, 7,
        )  # fmt: skip
        assert finding.suggestion == "work on a new tensor: h = h.clone()"

    @pytest.mark.parametrize(
        ("mutation", "severity"),
        [
            (Mutation(0, None, True, False, None), "warning"),
            (Mutation(0, None, True, True, None), "note"),
            (Mutation(0, "list", False, False, None), "warning"),
            (Mutation(0, "dict", True, False, None), "note"),
        ],
    )
    def test_what_may_be_meant(self, mutation: Mutation, severity: str) -> None:
        assert found(trace(mutations=(mutation,))) == [("mutated-state", severity, 0, None)]


class TestSwappedStates:
    def test_two_slots_in_each_others_place_are_an_error(self) -> None:
        finding = only(trace(2, swap=Swap((0, 1), "update")))
        assert (finding.rule, finding.severity, finding.state_index) == ("swapped-states", "error", None)
        assert finding.message == "forward() returns the new c in the place of h, and the other way round."
        assert finding.suggestion == "return the states in the order in which they are taken"


class TestLeakedState:
    def test_what_is_kept_is_named_at_the_line_that_writes_it(self) -> None:
        finding = only(trace(leak=Leak(("self.memory",), Span(9, 9, 9, "self.memory = h"))))
        assert (finding.rule, finding.severity, finding.location.line) == ("leaked-state", "error", 9)
        assert "through self.memory" in finding.message
        assert finding.suggestion == "make self.memory a part of the state: take it with the state and return it there"

    def test_rows_that_mix_through_what_is_kept_follow_from_it(self) -> None:
        given = trace(leak=Leak((), None), row_leak=0.5)
        assert found(given) == [
            ("leaked-state", "error", None, None), ("batch-leak", "error", None, "leaked-state"),
        ]  # fmt: skip

    def test_chance_that_cannot_be_repeated_tells_nothing(self) -> None:
        assert reason("leaked-state", trace(repeatable=False)) == "no two runs of it are alike"


class TestFaults:
    """What ends the experiments: one rule speaks, and the others say that they could not."""

    def faulty(self, rule: str, slot: int | None = None, went_in: str = "3x8", came_back: str = "3x4") -> Trace:
        return trace(2, fault=Fault(rule, slot, 0, Span(12, 12, 9, "return h"), went_in, came_back))

    @pytest.mark.parametrize(
        ("rule", "slot", "words"),
        [
            ("wrong-state-structure", None, "takes state as 3x8 and returns 3x4"),
            (
                "state-shape-mismatch",
                1,
                "state c went in as 3x8 (as init_hidden() says) and came back as 3x4 at step 0",
            ),
            ("state-dtype-mismatch", 1, "takes c as 3x8 and returns it as 3x4"),
            ("nonfinite-state", 0, "gives 3x4 in state h at step 0"),
        ],
    )
    def test_one_error_on_its_line(self, rule: str, slot: int | None, words: str) -> None:
        given = self.faulty(rule, slot)
        findings, outcomes = apply(given, Settings())
        assert [(item.rule, item.severity, item.state_index, item.location.line) for item in findings] == [
            (rule, "error", slot, 12)
        ]
        assert words in findings[0].message
        assert {outcome.outcome for outcome in outcomes if outcome.rule != rule} == {"skipped"}


class TestStateShapeMismatch:
    def test_a_width_that_state_size_gives_otherwise_is_a_warning(self) -> None:
        given = trace(2, declaration=Declaration(True, True, shapes=((UNITS,), (1,)), place=("cells.py", 7)))
        given = dataclasses.replace(given, initial=dataclasses.replace(given.initial, source="get_initial_state()"))
        finding = only(given)
        assert (finding.rule, finding.severity, finding.state_index) == ("state-shape-mismatch", "warning", 1)
        assert (finding.location.path, finding.location.line) == ("cells.py", 7)
        assert finding.message == f"state_size says 1 for state c, which get_initial_state() makes {UNITS} wide."

    @pytest.mark.parametrize("shapes", [((UNITS,), (UNITS,)), ((2, 4), (2, 4)), ((1,),), ()])
    def test_what_fits_or_cannot_be_compared_is_none(self, shapes: tuple[tuple[int, ...], ...]) -> None:
        given = trace(2, declaration=Declaration(True, True, shapes=shapes))
        given = dataclasses.replace(given, initial=dataclasses.replace(given.initial, source="get_initial_state()"))
        assert found(given) == []


class TestStateDtypeMismatch:
    def test_each_slot_that_changes_is_an_error(self) -> None:
        finding = only(trace(2, retyped=(Retyped(1, "float32", "float64", Span(5, 5, 9, "c = c.double()")),)))
        assert (finding.rule, finding.severity, finding.state_index, finding.location.line) == (
            "state-dtype-mismatch", "error", 1, 5,
        )  # fmt: skip
        assert finding.suggestion == "return it as float32"


class TestExplodingState:
    def test_growth_is_a_warning_with_its_horizon(self) -> None:
        finding = only(trace(growth=(Growth(0, 2.0, 64),)))
        assert (finding.rule, finding.severity, finding.state_index) == ("exploding-state", "warning", 0)
        assert finding.message == "h grows 2.00-fold at every step: twice as large every 1.0 steps."

    def test_several_slots_are_one_finding(self) -> None:
        assert found(trace(2, growth=(Growth(0, 2.0, 64), Growth(1, 1.5, 64)))) == [
            ("exploding-state", "warning", None, None)
        ]


class TestVanishingGradient:
    def test_a_dying_gradient_is_a_warning_with_its_half_life(self) -> None:
        finding = only(trace(decay=1e-5))
        assert (finding.rule, finding.severity) == ("vanishing-gradient", "warning")
        assert "shrinks to 1e-05 of itself at every step: its half-life is 0.06 steps" in finding.message


class TestUnusedWeight:
    idle = Weight("gate.weight", (UNITS, UNITS), False, False, never=True, used=False, span=Span(6, 6, 9, "g = ..."))

    def test_names_shapes_and_parameters(self) -> None:
        finding = only(trace(weights=(*trace().weights, self.idle)))
        assert (finding.rule, finding.severity, finding.location.line) == ("unused-weight", "warning", 6)
        assert finding.message == "gate.weight 8x8 reaches neither the state nor the output (64 parameters)."

    def test_one_with_a_way_along_which_nothing_comes_through(self) -> None:
        finding = only(trace(weights=(dataclasses.replace(self.idle, reached=True, dead=True),)))
        assert finding.message == "gate.weight 8x8 changes neither the state nor the output (64 parameters)."

    def test_it_follows_from_what_is_cut_off(self) -> None:
        given = trace(weights=(self.idle,), cuts=(Cut(0, "in", None),))
        assert ("unused-weight", "warning", None, "detached-state") in found(given)


class TestUntrainedWeight:
    cut = Weight("U.weight", (UNITS, 5), False, False, never=True, is_cut=True, span=Span(6, 6, 9, "d = ..."))
    beside = Weight("layers[0].bias", (UNITS,), True, False, registered=False, place=("cells.py", 4))

    def test_what_no_gradient_reaches(self) -> None:
        finding = only(trace(weights=(*trace().weights, self.cut)))
        assert (finding.rule, finding.severity, finding.location.line) == ("untrained-weight", "warning", 6)
        assert finding.message == (
            "U.weight 8x5 changes what forward() gives, but no gradient leads back to it: training leaves it as drawn."
        )

    def test_what_no_optimiser_is_given(self) -> None:
        finding = only(trace(weights=(*trace().weights, self.beside), library="torch.nn"))
        assert (finding.rule, finding.location.path, finding.location.line) == ("untrained-weight", "cells.py", 4)
        assert finding.message == (
            "layers[0].bias 8 changes what forward() gives, but parameters() lacks it: no optimiser trains and no "
            "checkpoint keeps it."
        )

    def test_what_keras_does_not_track_is_a_note(self) -> None:
        assert found(trace(weights=(self.beside,), library="keras")) == [("untrained-weight", "note", None, None)]

    def test_each_statement_is_a_finding_and_names_all_that_it_cuts(self) -> None:
        later = dataclasses.replace(self.cut, name="V.weight", span=Span(8, 8, 9, "e = ..."))
        bias = dataclasses.replace(self.cut, name="U.bias", shape=(UNITS,))
        found, _ = apply(trace(weights=(self.cut, bias, later)), Settings())
        lines = [finding.location.line for finding in found]
        assert lines == [6, 8]

    def test_it_follows_from_a_state_that_is_cut_off(self) -> None:
        given = trace(weights=(self.cut,), cuts=(Cut(0, "in", None),))
        assert ("untrained-weight", "warning", None, "detached-state") in found(given)

    def test_one_beside_the_others_that_nothing_reaches_is_no_matter(self) -> None:
        spare = dataclasses.replace(self.beside, reached=False, never=True, used=False)
        assert found(trace(weights=(*trace().weights, spare))) == []


class TestGraphMismatch:
    def test_other_numbers_are_an_error(self) -> None:
        finding = only(trace(forms=("keras.layers.RNN",), mismatch=Mismatch("keras.layers.RNN", None, None, 0.5)))
        assert (finding.rule, finding.severity) == ("graph-mismatch", "error")
        assert finding.message == (
            "keras.layers.RNN gives other numbers than forward() step by step: they differ by 0.5."
        )

    def test_a_refusal_is_told_in_its_own_words(self) -> None:
        refused = Mismatch("tf.function", "TypeError: no", Span(8, 8, 9, "if x > 0:"), None)
        finding = only(trace(forms=("tf.function",), mismatch=refused))
        assert (finding.message, finding.location.line) == ("tf.function refuses the cell: TypeError: no", 8)

    def test_a_size_that_the_driver_cannot_read_is_to_be_said_otherwise(self) -> None:
        refused = Mismatch("keras.layers.RNN", "ValueError: state_size must be an integer", None, None)
        finding = only(trace(forms=("keras.layers.RNN",), mismatch=refused))
        assert (finding.suggestion or "").startswith("say a whole number for each state in state_size")

    def test_without_another_form_there_is_nothing_to_compare(self) -> None:
        assert reason("graph-mismatch", trace()) == "its framework does not run it in another form"


class TestDetachedState:
    def test_a_state_read_without_a_gradient_is_a_warning(self) -> None:
        finding = only(trace(cuts=(Cut(0, "in", Span(4, 4, 9, "h = h.detach()")),)))
        assert (finding.rule, finding.severity, finding.state_index, finding.location.line) == (
            "detached-state", "warning", 0, 4,
        )  # fmt: skip
        assert finding.message == "h is read by forward(), but no gradient flows back through it."

    def test_several_slots_are_one_finding(self) -> None:
        given = trace(2, cuts=(Cut(0, "in", None), Cut(1, "in", None)))
        assert found(given) == [("detached-state", "warning", None, None)]
        assert only(given).message == "h and c are read by forward(), but no gradient flows back through them."

    def test_one_slot_of_several(self) -> None:
        assert found(trace(2, cuts=(Cut(1, "out", None),))) == [("detached-state", "warning", 1, None)]

    @pytest.mark.parametrize("cut", [Cut(0, "in", None, whole=True), Cut(0, "in", None, nothing=True)])
    def test_inside_a_sequence_or_without_any_gradient_it_is_a_note(self, cut: Cut) -> None:
        assert found(trace(cuts=(cut,))) == [("detached-state", "note", 0, None)]

    def test_it_says_nothing_without_gradients_or_of_a_state_in_variables(self) -> None:
        without = dataclasses.replace(trace().influence, gradient=None, gradient_error="RuntimeError: no")
        kept = trace()
        kept = dataclasses.replace(kept, slots=tuple(dataclasses.replace(slot, variable=True) for slot in kept.slots))
        assert reason("detached-state", trace(influence=without)) == "there are no gradients: RuntimeError: no"
        assert reason("detached-state", kept) == "its state is kept in variables, which no gradient goes through"


class TestBatchLeak:
    def test_rows_that_mix_are_an_error(self) -> None:
        finding = only(trace(row_leak=0.25))
        assert (finding.rule, finding.severity, finding.state_index) == ("batch-leak", "error", None)
        assert (finding.suggestion, dict(finding.evidence)) == (None, {"largest_change": 0.25})

    def test_how_the_rows_lie_of_what_reads_no_state_cannot_be_told(self) -> None:
        given = dataclasses.replace(trace(row_leak=0.25), built=behaviour(read=(False,)))
        assert ("batch-leak", "error", None, "ignored-recurrence") in found(given)

    def test_of_a_layer_the_batch_is_on_the_wrong_axis(self) -> None:
        finding = only(layer(row_leak=0.25))
        assert finding.rule == "batch-leak"
        assert "batch_first=True" in (finding.suggestion or "")

    def test_it_says_nothing_where_no_rows_could_be_compared(self) -> None:
        given = trace()
        alone = tuple(
            tuple(dataclasses.replace(slot, previous=slot.previous[:1], returned=slot.returned[:1]) for slot in step)
            for step in given.steps
        )
        assert reason("batch-leak", given) is None
        assert reason("batch-leak", dataclasses.replace(given, steps=alone)) == "there is one row only"
        assert reason("batch-leak", trace(repeatable=False)) == "no two runs of it are alike"

    def test_the_nodes_of_a_graph_may_mix(self) -> None:
        given = trace(row_leak=0.25, graph=True)
        assert found(given) == []
        assert reason("batch-leak", given) == "its rows are the nodes of a graph"

    def test_statistics_that_all_steps_share_are_a_note(self) -> None:
        finding = only(trace(shared_norm=SharedNorm(("norm",), Span(5, 5, 9, "drive = self.norm(drive)"))))
        assert (finding.rule, finding.severity, finding.location.line) == ("batch-leak", "note", 5)
        assert finding.message == (
            "self.norm mixes the rows of the batch while training, and all time steps share its running statistics."
        )
        assert "nn.LayerNorm" in (finding.suggestion or "")

    def test_two_of_them_are_one_note(self) -> None:
        given = trace(shared_norm=SharedNorm(("norm", "gates.norm"), None), backend="tf")
        assert only(given).message.startswith("self.norm and self.gates.norm mix the rows of the batch while training")
        assert "LayerNormalization" in (only(given).suggestion or "")

    def test_rows_that_mix_in_evaluation_mode_are_the_cause(self) -> None:
        assert found(trace(row_leak=0.25, shared_norm=SharedNorm(("norm",), None))) == [
            ("batch-leak", "error", None, None)
        ]


class TestRandomState:
    def test_a_state_that_is_drawn_is_a_note(self) -> None:
        finding = only(trace(chance=Chance(True, Span(6, 6, 9, "z = mean + noise"))))
        assert (finding.rule, finding.severity, finding.location.line) == ("random-state", "note", 6)
        assert finding.message == (
            "the state of forward() is random in evaluation mode: two runs that differ only in the seed give other "
            "numbers. Meant where it is sampled."
        )
        assert finding.suggestion is None

    def test_so_is_an_output(self) -> None:
        assert only(trace(chance=Chance(False, None))).message.startswith("the output of forward() is random")

    @pytest.mark.parametrize(("backend", "instead"), [("torch", "self.training"), ("tf", "let call() take training")])
    def test_units_that_are_dropped_as_their_values_tell(self, backend: str, instead: str) -> None:
        finding = only(trace(backend=backend, chance=Chance(True, None, "")))
        assert finding.severity == "note"
        assert "a dropout is active there too. Meant for Monte Carlo dropout alone." in finding.message
        assert instead in (finding.suggestion or "")

    def test_a_dropout_that_is_told_to_drop_is_a_note(self) -> None:
        finding = only(trace(chance=Chance(True, None, "torch.nn.functional.dropout()")))
        assert (finding.rule, finding.severity) == ("random-state", "note")

    def test_a_dropout_left_on_by_its_default_is_a_warning(self) -> None:
        code = "kept = dropout(h, training=self.training)"
        finding = only(trace(chance=Chance(True, None, "torch.nn.functional.dropout()", careless=True, instead=code)))
        assert (finding.severity, finding.suggestion) == ("warning", code)
        assert finding.message == (
            "the state of forward() is random in evaluation mode: torch.nn.functional.dropout() drops units there too."
        )

    def test_a_layer_has_no_state(self) -> None:
        assert reason("random-state", layer()) == "it takes no state"


class TestWrongGradient:
    def test_it_stands_where_the_function_stands(self) -> None:
        wrong = WrongGradient("Squash", 0.5, "squash.py", Span(12, 12, 9, "return gradient * (1 - new)"))
        finding = only(trace(wrong_gradients=(wrong,)))
        assert (finding.rule, finding.severity) == ("wrong-gradient", "warning")
        assert (finding.location.path, finding.location.line) == ("squash.py", 12)
        assert finding.message == (
            "the backward of Squash is not the derivative of its forward: it is off by 50% of it."
        )

    def test_without_its_source_it_is_told_at_the_method(self) -> None:
        given = trace(
            wrong_gradients=(WrongGradient("Squash", 0.5, None, None), WrongGradient("Gate", 2.0, None, None))
        )
        assert found(given) == [("wrong-gradient", "warning", None, None)] * 2

    def test_a_cell_without_such_functions_has_none(self) -> None:
        assert found(trace()) == []


class TestLayers:
    """What runs over a whole sequence and takes no state."""

    def test_one_that_is_cut_within_is_warned_of(self) -> None:
        finding = only(layer(cut_within=True))
        assert (finding.rule, finding.severity) == ("detached-state", "warning")
        assert "no gradient flows back" in finding.message

    def test_what_takes_a_state_and_forgets_within_a_call_is_told(self) -> None:
        finding = only(trace(memory=False))
        assert (finding.rule, finding.severity) == ("ignored-recurrence", "error")
        assert "each step begins from state as it went in" in finding.message

    def test_one_that_remembers_is_clean(self) -> None:
        findings, outcomes = apply(layer(), Settings())
        assert findings == ()
        assert {outcome.rule: outcome.reason for outcome in outcomes if outcome.outcome == "passed"} == {
            "ignored-recurrence": None,
            "detached-state": None,
            "batch-leak": None,
        }
        assert {outcome.reason for outcome in outcomes if outcome.rule != "missing-state-size"} == {
            None,
            "it takes no state",
        }

    def test_of_one_of_which_it_cannot_be_told_nothing_is_said(self) -> None:
        given = layer(memory=None)
        assert found(given) == []
        assert reason("ignored-recurrence", given) == "it cannot be told whether an early step reaches a later one"

    def test_one_in_which_no_step_reaches_a_later_one_is_an_error(self) -> None:
        finding = only(layer(memory=False))
        assert (finding.rule, finding.severity, finding.state) == ("ignored-recurrence", "error", None)


class TestMissingStateSize:
    def test_a_keras_cell_without_it_is_an_error(self) -> None:
        finding = only(trace(backend="tf", declaration=Declaration(True, False, "units", 8)))
        assert (finding.rule, finding.severity) == ("missing-state-size", "error")
        assert finding.suggestion == "self.state_size = self.units"

    def test_several_slots_are_written_as_a_list(self) -> None:
        finding = only(trace(2, backend="tf", declaration=Declaration(True, False, "units", 8)))
        assert finding.suggestion == "self.state_size = [self.units, self.units]"

    def test_an_unknown_attribute_is_written_as_a_number(self) -> None:
        assert only(trace(declaration=Declaration(True, False))).suggestion == "self.state_size = 8"

    def test_of_several_axes_keras_makes_no_state(self) -> None:
        given = trace(declaration=Declaration(True, False))
        image = dataclasses.replace(given, slots=(dataclasses.replace(given.slots[0], shape=(6, 7, 4)),))
        assert "get_initial_state(batch_size)" in (only(image).suggestion or "")

    def test_a_declared_one_passes(self) -> None:
        assert found(trace(declaration=Declaration(True, True))) == []


class TestRunningRules:
    def test_a_crash_of_one_rule_is_kept_from_the_others(self) -> None:
        def crash(given: Trace) -> list[Finding]:
            raise ZeroDivisionError("boom")

        broken = dataclasses.replace(by_id("ignored-recurrence"), check=crash)
        findings, outcomes = apply(stuck(), Settings(), (by_id("returned-old-state"), broken))
        assert [finding.rule for finding in findings] == ["returned-old-state"]
        assert (outcomes[1].outcome, outcomes[1].reason) == ("crashed", "ZeroDivisionError: boom")

    def test_ignoring_a_cause_also_suppresses_what_follows_from_it(self) -> None:
        findings, outcomes = apply(stuck(), Settings(ignore=("returned-old-state",)))
        assert [(finding.rule, finding.suppressed) for finding in findings] == [
            ("returned-old-state", Suppression("option")),
            ("unchanged-initial-state", Suppression("option")),
        ]
        assert "failed" not in [outcome.outcome for outcome in outcomes]

    def test_a_crash_of_an_ignored_rule_is_ignored(self) -> None:
        def crash(given: Trace) -> list[Finding]:
            raise ZeroDivisionError("boom")

        broken = dataclasses.replace(by_id("ignored-recurrence"), check=crash)
        _, (outcome,) = apply(stuck(), Settings(ignore=(broken.id,)), (broken,))
        assert (outcome.outcome, outcome.reason) == ("skipped", "ignored; it crashed: ZeroDivisionError: boom")

    def test_what_follows_from_a_consequence_is_explained_by_the_root(self) -> None:
        def says(rule: str, cause: str | None) -> Rule:
            return Rule(rule, "", lambda trace: [Finding(rule, "error", "", explained_by=cause)])

        chain = [says("a", None), says("b", "a"), says("c", "b"), says("d", "not-run"), says("e", "d")]
        circle = [says("f", "g"), says("g", "f")]
        findings, _ = apply(trace(), Settings(), [*chain, *circle])
        assert {finding.rule: finding.explained_by for finding in findings} == {
            "a": None, "b": "a", "c": "a", "d": None, "e": "d", "f": None, "g": None,
        }  # fmt: skip

    def test_a_note_explains_notes_alone(self) -> None:
        def says(rule: str, severity: Severity, cause: str | None) -> Rule:
            return Rule(rule, "", lambda trace: [Finding(rule, severity, "", explained_by=cause)])

        rules = [says("a", "note", None), says("b", "warning", "a"), says("c", "note", "a"), says("d", "note", "b")]
        findings, _ = apply(trace(), Settings(), rules)
        assert {finding.rule: finding.explained_by for finding in findings} == {
            "a": None,
            "b": None,
            "c": "a",
            "d": "b",
        }

    def test_selecting_a_consequence_makes_it_a_finding_of_its_own(self) -> None:
        given = found(stuck(), select=("unchanged-initial-state",))
        assert given == [("unchanged-initial-state", "error", 0, None)]


@pytest.mark.parametrize("rule", IDS)
def test_every_rule_is_documented_under_the_fixed_headings(rule: str) -> None:
    documentation = by_id(rule).documentation
    headings = [line for line in documentation.splitlines() if line.startswith("## ")]
    assert headings == ["## What it does", "## Why it is bad", "## Known problems", "## Example", "## Use instead"]
