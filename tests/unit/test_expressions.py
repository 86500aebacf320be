"""Constructor arguments that are no literals."""

from __future__ import annotations

import collections
import fractions
import os.path
import sys
from typing import Any

import pytest

from rnncheck.building import build
from rnncheck.errors import UsageError
from rnncheck.usercode.expressions import Expression, text_of, value_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8", 8),
        (" (3, 3)", (3, 3)),
        ("{'units': 8}", {"units": 8}),
        ("tanh", "tanh"),
        ("two words", "two words"),
        ("a + b.c", "a + b.c"),
        ("[x.y for x in z]", "[x.y for x in z]"),
        ("(lambda: 1)()", "(lambda: 1)()"),
        ("", ""),
        ("os.path.join", Expression("os.path.join")),
        ("fractions.Fraction(1, 3)", Expression("fractions.Fraction(1, 3)")),
        ("[a.B(8), a.C(n=-6)]", Expression("[a.B(8), a.C(n=-6)]")),
    ],
)
def test_a_value_is_a_literal_an_expression_or_text(text: str, value: Any) -> None:
    assert value_of(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("os.path.join", os.path.join),
        ("fractions.Fraction(1, denominator=3)", fractions.Fraction(1, 3)),
        ("[fractions.Fraction(2), -fractions.Fraction(1, 2)]", [fractions.Fraction(2), fractions.Fraction(-1, 2)]),
        ("{'a': os.sep, 'b': (collections.OrderedDict(),)}", {"a": os.sep, "b": (collections.OrderedDict(),)}),
        ("xml.dom.minidom.Node.ELEMENT_NODE", 1),
        ("Own(3)", "own 3"),
        ("Own(3).upper()", "OWN 3"),
        ("fractions.Fraction(1, 3).denominator", 3),
        ("range(2, 4)", range(2, 4)),
        ("no_such_module.thing", "no_such_module.thing"),
        ("os.path.no_such_name", "os.path.no_such_name"),
    ],
)
def test_names_are_those_of_the_target_or_imported(text: str, value: Any) -> None:
    expression = value_of(text)
    assert isinstance(expression, Expression)
    assert expression.resolved({"Own": lambda number: f"own {number}"}) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no_such_module.Thing(8)", "--kwargs no_such_module.Thing(8): there is no module 'no_such_module'."),
        ("fractions.Fractal(8)", "--kwargs fractions.Fractal(8): there is no 'fractions.Fractal'."),
        ("Missing(8)", "--kwargs Missing(8): there is no 'Missing'."),
        ("eval('1')", "--kwargs eval('1'): there is no 'eval'."),
        ("[fractions.Fraction(1, 0)]", "--kwargs fractions.Fraction(1, 0) raised ZeroDivisionError: Fraction(1, 0)."),
    ],
)
def test_a_call_that_cannot_be_made_is_a_usage_error(text: str, message: str) -> None:
    expression = value_of(text)
    assert isinstance(expression, Expression)
    with pytest.raises(UsageError) as caught:
        expression.resolved({})
    assert caught.value.message == message


def test_reading_an_expression_imports_nothing() -> None:
    assert value_of("xmlrpc.client.DateTime()") == Expression("xmlrpc.client.DateTime()")
    assert "xmlrpc.client" not in sys.modules


def test_each_cell_has_an_object_of_its_own() -> None:
    class Cell:
        def __init__(self, units: int, table: Any) -> None:
            self.table = table

        def forward(self, x: Any, h: Any) -> None: ...

    found = build.candidates(Cell, {"table": value_of("collections.OrderedDict(a=1)")}, lambda obj: False)
    first, second = next(found), next(found)
    assert first.cell.table == second.cell.table == {"a": 1}
    assert first.cell.table is not second.cell.table
    assert repr(first.kwargs["table"]) == "collections.OrderedDict(a=1)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (fractions.Fraction, "fractions.Fraction"),
        (len, "len"),
        (os.path.join, f"{os.path.__name__}.join"),
        ([fractions.Fraction, 1], "[fractions.Fraction, 1]"),
        ((1,), "(1,)"),
        ({"a": "b"}, "{'a': 'b'}"),
        (object(), "object(...)"),
        (Expression("a.B(1)"), "a.B(1)"),
    ],
)
def test_a_value_is_shown_as_one_would_write_it(value: Any, text: str) -> None:
    assert text_of(value) == text
