"""Constructor arguments by their names, on plain classes."""

from __future__ import annotations

import dataclasses
import enum
import fractions
import types
import typing
from typing import Any

import pytest

from rnncheck.building import build, roles
from rnncheck.errors import BuildError


def owns(obj: Any) -> bool:
    return hasattr(obj, "forward")


def first(make: Any, **kwargs: Any) -> dict[str, Any]:
    return dict(next(build.candidates(make, kwargs, owns)).kwargs)


def cell(signature: str, body: str = "pass", bases: str = "", name: str = "Cell") -> Any:
    """A class with this constructor."""
    scope: dict[str, Any] = {"Base": Base, **vars(typing)}
    exec(f"class {name}({bases}):\n def __init__(self, {signature}): {body}\n def forward(self, x, h): ...", scope)
    return scope[name]


class Mode(enum.Enum):
    PLAIN = 1
    GATED = 2


class Base:
    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.size = hidden_size

    def forward(self, x: Any, h: Any) -> None: ...


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("input_size, hidden_size", {"input_size": 5, "hidden_size": 8}),
        ("units, activation='tanh', **kwargs", {"units": 8}),
        ("in_features, out_features, bias", {"in_features": 5, "out_features": 8, "bias": True}),
        ("dim", {"dim": 8}),
        ("input_size, hidden_size, output_size", {"input_size": 5, "hidden_size": 8, "output_size": 6}),
        ("input_sz, hidden_sz", {"input_sz": 5, "hidden_sz": 8}),
        ("nx: int, nh: int", {"nx": 5, "nh": 8}),
        ("D_in, H", {"D_in": 5, "H": 8}),
        ("memory_dim, message_dim", {"memory_dim": 8, "message_dim": 5}),
        ("unit_1, unit_2", {"unit_1": 8, "unit_2": 8}),
        (
            "units, kernel_initializer, kernel_regularizer",
            {"units": 8, "kernel_initializer": "glorot_uniform", "kernel_regularizer": None},
        ),
    ],
)
def test_sizes_are_told_by_their_names(signature: str, expected: dict[str, Any]) -> None:
    assert first(cell(signature)) == expected


def test_given_arguments_go_before_inferred_ones() -> None:
    assert first(cell("input_size, hidden_size"), hidden_size=3) == {"input_size": 5, "hidden_size": 3}


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("ninp, nhid, nlayers", {"ninp": 5, "nhid": 8, "nlayers": 2}),
        ("input_features: int, hidden_ch: int", {"input_features": 5, "hidden_ch": 8}),
        ("cell_type_size, in_dim", {"cell_type_size": 8, "in_dim": 5}),
        ("input_size, num_features", {"input_size": 5, "num_features": 8}),
        ("input_size, output_size", {"input_size": 5, "output_size": 8}),
        ("output_size, hidden_units=10", {"output_size": 6}),
        ("dim, num_heads, dim_head", {"dim": 8, "num_heads": 2, "dim_head": 4}),
        ("units, dropout_rate, keep_prob", {"units": 8, "dropout_rate": 0.0, "keep_prob": 1.0}),
        ("units, use_layer_norm, cuda", {"units": 8, "use_layer_norm": False, "cuda": False}),
        ("d_model, device, dtype", {"d_model": 8, "device": None, "dtype": None}),
        ("num_units, batch_size, dropout", {"num_units": 8, "batch_size": 3, "dropout": 0.0}),
        ("vocab_size, embed_dim, rnn_size", {"vocab_size": 11, "embed_dim": 5, "rnn_size": 8}),
        ("input_size, hidden_sizes", {"input_size": 5, "hidden_sizes": [8, 8]}),
        ("input_size, hidden_sizes: List[int]", {"input_size": 5, "hidden_sizes": [8, 8]}),
        ("units: int, activation", {"units": 8, "activation": "tanh"}),
        ("units, name, reuse", {"units": 8, "name": "cell", "reuse": False}),
    ],
)
def test_other_arguments_have_usual_values(signature: str, expected: dict[str, Any]) -> None:
    assert first(cell(signature)) == expected


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("units, mode: Literal['a', 'b']", {"units": 8, "mode": "a"}),
        ("units, gain: float", {"units": 8, "gain": 0.5}),
        ("units, fancy: bool, bias: bool", {"units": 8, "fancy": False, "bias": True}),
        ("units, other: Optional[str]", {"units": 8, "other": None}),
        ("units: Optional[int], k: int", {"units": 8, "k": 2}),
        ("dilation: Tuple[int, int], units", {"dilation": (1, 1), "units": 8}),
    ],
)
def test_annotations_say_what_names_do_not(signature: str, expected: dict[str, Any]) -> None:
    assert first(cell(signature)) == expected


def test_an_enum_gives_its_first_member() -> None:
    class Cell:
        def __init__(self, units: int, mode: Mode) -> None: ...

        def forward(self, x: Any, h: Any) -> None: ...

    assert first(Cell) == {"units": 8, "mode": Mode.PLAIN}


def test_the_source_says_which_words_are_known_and_what_is_a_flag() -> None:
    class Cell:
        def __init__(self, units, kind, gate, extra):
            if kind == "leaky":
                self.tau = 2
            elif kind in ("integrating", "other"):
                self.tau = 1
            self.gate = {"hard": 1, "soft": 2}[gate]
            if extra:
                self.more = 1

        def forward(self, x, h): ...

    assert first(Cell) == {"units": 8, "kind": "leaky", "gate": "hard", "extra": False}


def test_the_source_says_what_is_a_size_and_under_which_name_it_is_kept() -> None:
    class Cell:
        def __init__(self, first_of, second_of, p, gain):
            self.x = nn.Linear(first_of, second_of)
            self.keep_prob = p
            self.alpha = gain

        def forward(self, x, h): ...

    assert first(Cell) == {"first_of": 5, "second_of": 8, "p": 1.0, "gain": 0.95}


@pytest.mark.parametrize(
    ("signature", "expected", "extents"),
    [
        (
            "input_dim, hidden_dim, kernel_size, bias",
            {"input_dim": 3, "hidden_dim": 4, "kernel_size": 3, "bias": True},
            (6, 7),
        ),
        ("in_channels, out_channels, kernel_size", {"in_channels": 3, "out_channels": 4, "kernel_size": 3}, (6, 7)),
        (
            "input_size, input_dim, hidden_dim, kernel_size",
            {"input_size": (6, 7), "input_dim": 3, "hidden_dim": 4, "kernel_size": 3},
            (6, 7),
        ),
        (
            "shape, input_chans, filter_size, num_features",
            {"shape": (6, 7), "input_chans": 3, "filter_size": 3, "num_features": 4},
            (6, 7),
        ),
        (
            "in_channel, num_hidden, width, filter_size, stride, layer_norm",
            {"in_channel": 3, "num_hidden": 4, "width": 6, "filter_size": 3, "stride": 1, "layer_norm": False},
            (6, 6),
        ),
        (
            "in_channel, num_hidden, height, width, filter_size",
            {"in_channel": 3, "num_hidden": 4, "height": 6, "width": 7, "filter_size": 3},
            (6, 7),
        ),
        (
            "input_shape, output_channels, kernel_shape",
            {"input_shape": (6, 7, 3), "output_channels": 4, "kernel_shape": 3},
            (6, 7),
        ),
        ("rank, filters, kernel_size", {"rank": 2, "filters": 4, "kernel_size": 3}, (6, 7)),
    ],
)
def test_a_cell_that_takes_images_is_known_by_its_arguments(
    signature: str, expected: dict[str, Any], extents: tuple[int, ...]
) -> None:
    built = next(build.candidates(cell(signature), {}, owns))
    assert (dict(built.kwargs), built.width("input") or 3, built.width("hidden")) == (expected, 3, 4)
    assert built.image is not None
    assert (built.image.extents, built.image.sure) == (extents, True)


def test_the_number_of_spatial_axes_is_in_the_name_or_in_the_kernel() -> None:
    lines = next(build.candidates(cell("in_channels, hidden_channels, k=3", name="ConvLSTM1dCell"), {}, owns))
    assert (lines.image, dict(lines.kwargs)) == (
        roles.Image((7,), sure=False),
        {"in_channels": 3, "hidden_channels": 4},
    )
    volumes = next(
        build.candidates(cell("in_channels, hidden_channels, kernel_size"), {"kernel_size": (3, 3, 3)}, owns)
    )
    assert volumes.image == roles.Image((5, 6, 7))
    assert next(build.candidates(cell("in_channels, out_channels, K", name="GConvGRU"), {}, owns)).image is None
    assert next(build.candidates(cell("units, kernel_size=None"), {}, owns)).image is None


class TestArgumentsOfTheBases:
    def test_positional_ones(self) -> None:
        class Cell(Base):
            def __init__(self, *args: Any) -> None:
                super().__init__(*args)

        assert first(Cell) == {"input_size": 5, "hidden_size": 8}
        assert next(build.candidates(Cell, {}, owns)).cell.size == 8

    def test_keywords(self) -> None:
        class Cell(Base):
            def __init__(self, **kwargs: Any) -> None:
                super().__init__(**kwargs)

        assert first(Cell) == {"input_size": 5, "hidden_size": 8}

    def test_those_that_the_class_gives_itself_are_left_alone(self) -> None:
        class Cell(Base):
            def __init__(self, units: int, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, hidden_size=units, **kwargs)

        assert first(Cell) == {"units": 8, "input_size": 5}

    def test_what_is_taken_out_of_the_keywords(self) -> None:
        class Cell:
            def __init__(self, **kwargs: Any) -> None:
                self.units = kwargs["units"]

            def forward(self, x: Any, h: Any) -> None: ...

        assert first(Cell) == {"units": 8}

    def test_positional_only_ones(self) -> None:
        assert first(cell("units, /, *, dropout")) == {"units": 8, "dropout": 0.0}


@pytest.mark.parametrize("signature", ["wiring", "cell", "input_size, config", "units, cell_factory"])
def test_what_cannot_be_told_is_asked_for(signature: str) -> None:
    with pytest.raises(BuildError) as caught:
        first(cell(signature))
    asked = signature.rpartition(" ")[2]
    assert caught.value.message == f"Cell() needs {asked}, and rnncheck cannot tell what to pass."
    assert caught.value.options == (f"--kwargs {asked}=...",)


def test_what_was_given_stays_on_the_line_to_type_and_a_known_type_is_named() -> None:
    class Cell:
        def __init__(self, wiring: fractions.Fraction, units: int, mode: str) -> None: ...

        def forward(self, x: Any, h: Any) -> None: ...

    with pytest.raises(BuildError) as caught:
        first(Cell, units=3)
    assert caught.value.options == ("--kwargs units=3", "--kwargs wiring=...", "--kwargs mode=...")
    assert caught.value.hint == "wiring is a fractions.Fraction: --kwargs 'wiring=fractions.Fraction(...)'."


def test_other_sizes_are_tried_where_the_first_are_refused() -> None:
    same = cell("input_size, hidden_size", "assert input_size == hidden_size")
    assert first(same) == {"input_size": 8, "hidden_size": 8}


def test_what_the_constructor_raises_is_told() -> None:
    with pytest.raises(BuildError, match=r"Cell\(units=8\) raised ZeroDivisionError"):
        first(cell("units", "1 / 0"))


def test_an_instance_takes_no_arguments_and_is_not_ours() -> None:
    instance = cell("")()
    assert not next(build.candidates(instance, {}, owns)).own
    with pytest.raises(BuildError, match="the target is an instance"):
        first(instance, units=3)


def test_a_factory_returns_a_cell() -> None:
    assert first(lambda: cell("")()) == {}
    with pytest.raises(BuildError, match="returned a int, not a cell"):
        first(lambda: 3)
    with pytest.raises(BuildError, match="is a int, not a cell"):
        next(build.candidates(3, {}, owns))
    with pytest.raises(BuildError, match="Record is a class without call\\(\\) or forward\\(\\)"):
        next(build.candidates(type("Record", (), {}), {}, owns))


@dataclasses.dataclass
class InnerConfig:
    hidden_size: int
    bias: bool = True


@dataclasses.dataclass
class CellConfig:
    input_size: int
    inner: InnerConfig
    num_heads: int = 4
    width: int = -1


class Shape(typing.NamedTuple):
    n_in: int
    n_hidden: int


class TestConfigurations:
    """A single argument that holds the others."""

    def test_of_the_annotated_class_with_its_own_inside(self) -> None:
        class Cell:
            def __init__(self, config: CellConfig) -> None:
                self.config = config

            def forward(self, x: Any, h: Any) -> None: ...

        built = next(build.candidates(Cell, {}, owns))
        assert built.cell.config == CellConfig(5, InnerConfig(8))
        assert repr(built.kwargs["config"]) == "CellConfig(input_size=5, inner=InnerConfig(hidden_size=8))"
        assert (built.width("input"), built.width("hidden")) == (5, 8)
        given = next(build.candidates(Cell, {"config": {"input_size": 9}}, owns))
        assert given.cell.config == CellConfig(9, InnerConfig(8))

    def test_of_a_named_tuple_under_any_name(self) -> None:
        class Cell:
            def __init__(self, sizes_of_it: Shape) -> None:
                self.shape = sizes_of_it

            def forward(self, x: Any, h: Any) -> None: ...

        assert next(build.candidates(Cell, {}, owns)).cell.shape == Shape(5, 8)

    def test_a_default_that_says_unset_is_replaced_where_it_does_not_do(self) -> None:
        class Cell:
            def __init__(self, config: CellConfig) -> None:
                assert config.width > 0, "too narrow"
                self.config = config

            def forward(self, x: Any, h: Any) -> None: ...

        assert next(build.candidates(Cell, {}, owns)).cell.config == CellConfig(5, InnerConfig(8), width=8)

    def test_attributes_that_the_source_reads(self) -> None:
        class Cell:
            def __init__(self, args):
                self.args = args
                self.size = args.hidden_dim
                self.inputs = args.model.input_dim
                self.optional = getattr(args, "extra", None)
                self.mode = self.args.activation.lower()

            def forward(self, x, h): ...

        built = next(build.candidates(Cell, {}, owns))
        assert (built.cell.size, built.cell.inputs, built.cell.optional, built.cell.mode) == (8, 5, None, "tanh")
        assert set(built.cell.args) == {"hidden_dim", "model", "activation"}
        assert (built.width("input"), built.width("hidden")) == (5, 8)

    def test_items_that_the_source_reads(self) -> None:
        class Cell:
            def __init__(self, cfg: dict) -> None:
                self.size, self.rate = cfg["units"], cfg.get("dropout", 0.3)

            def forward(self, x, h): ...

        built = next(build.candidates(Cell, {}, owns))
        assert (built.cell.size, built.cell.rate, repr(built.kwargs["cfg"])) == (8, 0.3, "{'units': 8}")
        assert next(build.candidates(Cell, {"cfg": {"units": 4}}, owns)).cell.size == 4

    def test_what_a_helper_reads_is_learned_from_its_error(self) -> None:
        def helper(settings: Any) -> int:
            return settings.rnn_size + settings["input_size"]

        class Cell:
            def __init__(self, hparams: Any) -> None:
                self.size = helper(hparams)
                self.layers = hparams.num_layers

            def forward(self, x: Any, h: Any) -> None: ...

        assert next(build.candidates(Cell, {}, owns)).cell.size == 13

    def test_what_cannot_be_told_of_one_is_asked_for_in_one_argument(self) -> None:
        class Cell:
            def __init__(self, config: Any) -> None:
                self.wiring, self.size = config.wiring, config.units

            def forward(self, x: Any, h: Any) -> None: ...

        with pytest.raises(BuildError, match=r"Cell\(\) needs config\.wiring") as caught:
            first(Cell)
        assert caught.value.options == ("""--kwargs 'config={"wiring": ...}'""",)
        built = next(build.candidates(Cell, {"config": {"wiring": 7}}, owns))
        assert (built.cell.wiring, built.cell.size) == (7, 8)


class TestWhatAnErrorTeaches:
    @staticmethod
    def built(make: Any, **kwargs: Any) -> dict[str, Any]:
        return dict(next(build.candidates(make, kwargs, owns)).kwargs)

    def test_a_pair_where_a_number_cannot_be_subscripted(self) -> None:
        class Cell:
            def __init__(self, input_dim, hidden_dim, kernel_size, bias):
                self.padding = kernel_size[0] // 2, kernel_size[1] // 2

            def forward(self, x, h): ...

        assert self.built(Cell)["kernel_size"] == (3, 3)

    def test_a_number_where_a_pair_cannot_be_divided(self) -> None:
        class Cell:
            def __init__(self, shape, input_channels, filter_size, hidden):
                self.half = shape // 2

            def forward(self, x, h): ...

        assert self.built(Cell)["shape"] == 6

    def test_a_list_where_a_number_cannot_be_iterated(self) -> None:
        class Cell:
            def __init__(self, input_size, hidden_dims):
                self.layers = [2 * size for size in hidden_dims]

            def forward(self, x, h): ...

        assert self.built(Cell) == {"input_size": 5, "hidden_dims": [8, 8]}

    def test_an_assertion_of_the_type(self) -> None:
        class Cell:
            def __init__(self, units, stride):
                assert isinstance(stride, tuple)

            def forward(self, x, h): ...

        assert self.built(Cell) == {"units": 8, "stride": (1, 1)}

    def test_an_argument_that_is_needed_although_it_has_a_default(self) -> None:
        class Cell:
            def __init__(self, units, input_size=None, heads=None):
                if heads is None:
                    raise ValueError("Give heads.")
                self.size = units + input_size

            def forward(self, x, h): ...

        assert self.built(Cell) == {"units": 8, "heads": 2, "input_size": 5}

    def test_a_word_among_those_that_are_listed(self) -> None:
        def look_up(kind: str) -> None:
            if kind not in MODES:
                raise ValueError(f"Unknown mode {kind!r}: choose 'slow' or 'fast'.")

        class Cell:
            def __init__(self, units, mode="fast", *, activation):
                look_up(activation)

            def forward(self, x, h): ...

        assert self.built(Cell) == {"units": 8, "activation": "slow"}

    @pytest.mark.parametrize(
        ("condition", "message", "expected"),
        [
            ("hidden_size % 16 == 0", "hidden_size must be divisible by 16", (5, 16)),
            ("input_size == hidden_size", "input_size must equal hidden_size", (8, 8)),
            ("hidden_size >= 64", "hidden_size must be at least 64", (5, 64)),
            ("input_size > 9", "input_size must be greater than 9", (10, 8)),
            ("input_size % 4 == 0", "", (8, 8)),
        ],
    )
    def test_sizes_that_are_asked_for(self, condition: str, message: str, expected: tuple[int, int]) -> None:
        made = self.built(cell("input_size, hidden_size", f"assert {condition}, {message!r}"))
        assert (made["input_size"], made["hidden_size"]) == expected

    def test_a_default_that_needs_a_gpu(self) -> None:
        class Cell:
            def __init__(self, units, backend: typing.Literal["cuda", "plain"] = "cuda"):
                if backend == "cuda":
                    raise RuntimeError("CUDA is not available")

            def forward(self, x, h): ...

        assert self.built(Cell) == {"units": 8, "backend": "plain"}

    def test_an_argument_of_a_wrong_type_that_shows_only_when_the_cell_is_called(self) -> None:
        found = build.candidates(cell("units, stride"), {}, owns)
        assert next(found).kwargs["stride"] == 1
        found.refused(TypeError("'int' object is not subscriptable (stride)"))
        assert next(found).kwargs["stride"] == (1, 1)

    def test_the_error_of_the_try_that_came_furthest_is_told(self) -> None:
        class Cell:
            def __init__(self, input_dim, hidden_dim, kernel_size):
                self.padding = kernel_size[0] // 2
                raise OSError("no weights file")

            def forward(self, x, h): ...

        with pytest.raises(BuildError, match=r"kernel_size=\(3, 3\)\) raised OSError: no weights file") as caught:
            first(Cell)
        assert caught.value.hint is not None
        assert "--kwargs 'kernel_size=(3, 3)'" in caught.value.hint

    def test_a_constructor_that_never_succeeds_is_not_tried_for_ever(self) -> None:
        tries = []

        class Cell:
            def __init__(self, input_size, hidden_size, kernel_size, activation, stride, padding):
                tries.append(1)
                raise TypeError("'int' object is not iterable")

            def forward(self, x, h): ...

        with pytest.raises(BuildError, match="'int' object is not iterable"):
            first(Cell)
        assert len(tries) <= build.TRIES


MODES = ("slow", "fast")
nn = types.SimpleNamespace(Linear=lambda *sizes: sizes)
