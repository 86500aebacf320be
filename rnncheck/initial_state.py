"""A first state that is not the one the cell takes, said in those terms.

Compares structures, shapes and dtypes; knows no framework. What TensorFlow says of such a state (``too many values
to unpack``, ``ConcatOp : Dimension 0 in both shapes must be equal``) names neither the state nor what to write.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rnncheck.structure import Structure, flatten, mapping, sequence

Shape = tuple[int | None, ...]
DRIVERS = ("dynamic_rnn", "static_rnn")
COUNTS = ("no tensors", "one", "two", "three", "four", "five", "six")


@dataclass(frozen=True)
class Given:
    """A state as it was handed over; ``shapes`` and ``dtypes`` are those of its tensors."""

    structure: Structure
    shapes: tuple[Shape, ...]
    dtypes: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """What a cell takes. ``sizes`` are shapes without the rows, one a tensor; what is None is not known."""

    structure: Structure
    sizes: tuple[Shape | None, ...]
    rows: int | None = None
    dtype: str | None = None
    known: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        own = self.known or self.structure.names()
        return [name or f"s{index}" for index, name in enumerate(own)]


def given(state: Any) -> Given:
    """A state of any framework's tensors, also symbolic ones: what has a shape and a dtype is one."""
    structure, leaves = flatten(state, lambda value: hasattr(value, "shape") and hasattr(value, "dtype"))
    return Given(structure, tuple(_sizes(leaf.shape) for leaf in leaves), tuple(_dtype(leaf) for leaf in leaves))


def declared(state_size: Any, rows: int | None = None, dtype: str | None = None) -> Wanted:
    """What a cell takes by its ``state_size``: a whole number, a shape, or a nest of them."""
    structure, leaves = flatten(state_size, lambda value: isinstance(value, int) or hasattr(value, "as_list"))
    return Wanted(structure, tuple(_sizes(leaf) for leaf in leaves), rows, dtype)


def explain(what: str, state: Given, wanted: Wanted, instead: str) -> str | None:
    """What is wrong with a state and what to write; None where nothing is.

    ``what`` names it (``initial_state of LSTMCell``), ``instead`` says what to do (``write cell.zero_state(...)``).
    """
    do = f"{instead[0].upper()}{instead[1:]}."
    it_takes = f"it takes {_wanted(wanted)}. {do}"
    if not _alike(state.structure, wanted.structure):
        return f"{what} is {_given(state)}; {it_takes}"
    pairs = list(zip(wanted.names, state.shapes, wanted.sizes))
    for name, shape, size in pairs:
        if size is not None and (len(shape) != len(size) + 1 or not _fits(shape[1:], size)):
            which = f" in {name}" if len(pairs) > 1 else ""
            return f"{what} is {_text(shape)}{which} where the cell takes {_text((wanted.rows, *size))}. {do}"
    for _, shape, size in pairs:
        # Where the sizes are not known, the rows may lie along another axis.
        if shape and not _fits(shape[:1], (wanted.rows,)) and (size is not None or wanted.rows not in shape):
            rows = f"{shape[0]} row{'s' if shape[0] != 1 else ''}"
            return f"{what} has {rows} and the input has {wanted.rows}: each row has its own. {do}"
    for dtype, size in zip(state.dtypes, wanted.sizes):
        # Where nothing is declared, a counter or a mask may belong to the state.
        of_numbers = size is not None or dtype.startswith(("float", "bfloat"))
        if wanted.dtype is not None and dtype != wanted.dtype and of_numbers:
            return f"{what} is {dtype} and the cell computes in {wanted.dtype}. Cast it, or {instead}."
    if _containers(state.structure) != _containers(wanted.structure):
        return f"{what} is {_given(state)}, of another type than the cell returns; {it_takes}"
    return None


def handed_out(what: str, state: Any, unpacked: tuple[str, Sequence[str]] | None, rows: int, dtype: str) -> str | None:
    """What is wrong with a state that the cell itself hands out for ``rows`` rows, when it computes in ``dtype``.

    ``unpacked`` is how its code takes the state apart, as :func:`rnncheck.usercode.source.unpacking` tells it.
    """
    seen = given(state)
    structure, known = _taken(seen, *unpacked) if unpacked is not None else (seen.structure, ())
    wanted = Wanted(structure, (None,) * structure.size, rows, dtype, known)
    shown = structure.describe(wanted.names)
    return explain(what, seen, wanted, f"return {shown} in {dtype}, with a row for each of the batch ({rows} here)")


def _taken(state: Given, how: str, names: Sequence[str]) -> tuple[Structure, tuple[str, ...]]:
    """The structure that the code takes apart, and what it calls the parts; that of the state itself where it may
    as well be one tensor that is taken apart along its first axis."""
    own = state.structure
    if how == "keys":
        known = own.kind == "mapping" and set(names) <= set(own.keys)
        return (own if known else mapping(names)), ()
    count = int(names[0]) if how == "index" else len(names)
    if own.kind == "named" and len(own.children) == count:
        return own, tuple(names) if how == "tuple" and own.size == count else ()
    stacked = own.is_leaf and (count < 2 or state.shapes[0][:1] == (count,))
    if how == "attributes" or stacked:
        return own, ()
    return sequence(tuple, count), tuple(names) if how == "tuple" else ()


def in_traceback(error: BaseException) -> str | None:
    """What is wrong with the ``initial_state`` that a driver of TensorFlow was given, where it raised this."""
    found = None
    where = error.__traceback__
    while where is not None:
        if where.tb_frame.f_code.co_name in DRIVERS:
            found = where.tb_frame.f_locals
        where = where.tb_next
    if found is None or found.get("initial_state") is None:
        return None
    try:
        return _driven(found["cell"], found["inputs"], found["initial_state"], found.get("batch_size"))
    except Exception:
        return None


def _driven(cell: Any, inputs: Any, state: Any, batch_size: Any) -> str | None:
    rows = batch_size if isinstance(batch_size, int) else None
    wanted = declared(cell.state_size, rows, _dtype(inputs[0] if isinstance(inputs, (list, tuple)) else inputs))
    make = f"initial_state=cell.zero_state({rows or 'batch_size'}, tf.{wanted.dtype})"
    if not wanted.structure.is_leaf:
        make = f"initial_state={wanted.structure.describe(wanted.names)}, or {make} for zeros"
    return explain(f"initial_state of {type(cell).__name__}", given(state), wanted, f"write {make}")


def _sizes(shape: Any) -> Shape:
    if isinstance(shape, int):
        return (shape,)
    sizes = shape.as_list() if hasattr(shape, "as_list") else list(shape)
    return tuple(None if size is None else int(size) for size in sizes)


def _dtype(tensor: Any) -> str:
    dtype = tensor.dtype
    return str(getattr(dtype, "name", dtype)).removeprefix("torch.").removesuffix("_ref")


def _fits(left: Sequence[int | None], right: Sequence[int | None]) -> bool:
    return all(one == other or one is None or other is None for one, other in zip(left, right))


def _alike(left: Structure, right: Structure) -> bool:
    """The same nest, whatever the types of its containers."""
    if left.is_leaf or right.is_leaf:
        return left.is_leaf and right.is_leaf
    return len(left.children) == len(right.children) and all(map(_alike, left.children, right.children))


def _containers(structure: Structure) -> list[type | None]:
    """The types of the containers; lists and plain tuples pass for each other."""
    kind = None if structure.kind == "sequence" else structure.type
    return [kind, *(found for child in structure.children for found in _containers(child))]


def _given(state: Given) -> str:
    shown = state.structure.describe([f"tensor {_text(shape)}" for shape in state.shapes])
    return f"one {shown}" if state.structure.is_leaf else shown


def _wanted(wanted: Wanted) -> str:
    shapes = [_text((wanted.rows, *size)) if size is not None else None for size in wanted.sizes]
    if wanted.structure.is_leaf:
        return f"one tensor{f' {shapes[0]}' if shapes[0] else ''}"
    each = f", each {shapes[0]}" if len(set(shapes)) == 1 and shapes[0] else ""
    by_shape = [f"tensor {shape}" for shape in shapes]
    named = wanted.structure.describe(wanted.names if each or None in shapes else by_shape)
    return f"{_count(len(shapes))}, {named}{each}"


def _count(number: int) -> str:
    return COUNTS[number] if number < len(COUNTS) else str(number)


def _text(shape: Sequence[int | None]) -> str:
    return "x".join("?" if size is None else str(size) for size in shape) or "scalar"
