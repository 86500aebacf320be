"""Generated cells: a defect is found, on its line and in its slot, and a healthy cell is clean."""

from __future__ import annotations

import pytest
from fuzzing import examples
from generated import as_told, defects, generated
from hypothesis import given
from hypothesis import strategies as st


@examples(40)
@given(data=st.data())
def test_a_healthy_cell_is_clean(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    as_told(data.draw(generated("torch", None)), tmp_path_factory.getbasetemp())


@pytest.mark.parametrize("defect", defects("torch"))
@examples(12)
@given(data=st.data())
def test_a_defect_is_found(tmp_path_factory: pytest.TempPathFactory, defect: str, data: st.DataObject) -> None:
    as_told(data.draw(generated("torch", defect)), tmp_path_factory.getbasetemp())
