"""What a constructor argument is for, told by its name: a size, a number with a usual value, a spatial extent.

The names are those of published cells; nothing here touches a framework.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rnncheck.usercode.definitions import words

INPUT, HIDDEN, OUTPUT = 5, 8, 6
"""The sizes tried first; all differ, so that a mixed-up axis cannot hide."""

INPUT_NAMES = (
    "input_size input_shape in_features input_dim in_channels input_channels in_channel input_channel in_chan "
    "in_ch in_chans input_chans input_ch cin c_in ch_in in_planes inplanes in_dim dim_in embed_dim obs_dim n_in "
    "nin ninp inp_dim inp_size input_dims num_inputs n_inputs feature_size num_features n_features emb_dim "
    "embedding_size emb_size x_dim d_in in_size input_features input_units insize indim inputs_size dim_input "
    "input_sz xdim nx num_in nb_in ninputs d_input input_width feature_dim feat_dim n_feats frame_channel "
    "embed_size num_channels n_channels input_feat_dim in_feats in_feat nfeat fan_in inputs_dim input_depth "
    "obs_size observation_dim"
).split()
HIDDEN_NAMES = (
    "hidden_size units num_units hidden_dim dim_hidden hidden_features features hidden_channels hidden_channel "
    "filters state_features deter_dim n_hidden nhid hid_dim h_dim num_hidden n_units rnn_size cell_size "
    "state_size state_dim hidden hidden_units hidden_dims num_hiddens d_hidden d_state memory_size memory_dim "
    "rnn_dim latent_dim latent_size hid_size rnn_units n_h dim_h unit_size recurrent_units num_cells hidden_sz "
    "hdim nh n_neurons hidden_ch hid_ch hidden_chan nf n_filters num_filters nb_filters filter_num hidden_chans "
    "hidden_planes nhidden hsize hid hids hiddensize hidden_width d_rnn lstm_size gru_size lstm_dim gru_dim "
    "lstm_units gru_units num_neurons n_cells hidden_unit num_hidden_units n_hidden_units hidden_depth deter "
    "deter_size recurrent_size recurrent_dim reservoir_size n_reservoir mem_size mem_dim core_size num_state "
    "state_channels state_width rnn_hidden_size rnn_hidden rnn_hidden_dim gru_hidden_size lstm_hidden_size "
    "outplanes"
).split()
BOTH_NAMES = "dim d_model embedding_dim size model_dim width channels n_embd n_dim ndim dims hidden_input_size".split()
OUTPUT_NAMES = (
    "output_size output_dim n_out nout num_classes n_outputs n_classes out_size out_dim d_out num_outputs "
    "out_channels out_features output_channels output_features out_channel out_ch out_chan c_out cout ch_out "
    "output_units nclass output_channel num_out outsize outdim dim_out output_width out_planes"
).split()
EXTENTS: dict[int, tuple[int, ...]] = {1: (7,), 2: (6, 7), 3: (5, 6, 7)}
"""The extents of an image by the number of its spatial axes."""
WEAK = frozenset("num_features n_features feature_size feature_dim num_channels n_channels features channels".split())
"""Names for the input's size in some cells and the state's in others."""

_NO_SIZE = frozenset(
    "kernel filter window batch step steps time vocab layer layers head heads group groups stride padding pad dilation "
    "image img spatial frame seq sequence length len block blocks chunk patch height rows cols max min idx index "
    "dropout drop rate prob init initializer activation act norm bias type mode name class".split()
)
_SIZES = frozenset(
    "size sz dim dims dimension dimensions feature features feats feat units unit channels channel chans chan ch num n "
    "width neurons planes maps nb d c".split()
)
_MARKS = (
    ("input", frozenset("input inputs in embed embedding emb obs observation x inp src source".split())),
    (
        "hidden",
        frozenset(
            "hidden hiddens state states cell cells rnn lstm gru memory mem units unit hid recurrent h latent "
            "deter neurons reservoir core".split()
        ),
    ),
    ("output", frozenset("output out outputs classes labels targets y logits".split())),
)
_SIZE_LIKE = re.compile(
    r"(size|sz|dims?|width|units?|neurons?|nodes?|features?|channels?|hiddens?|filters?)_?\d*$|"
    r"^[a-zA-Z]{1,2}$|^n_?[a-zA-Z]{1,4}$|^([dDnN]|num|nb)_\w+$"
)
"""Names that can only be a size, though not of what."""

_KERNEL = r"(.*_)?(kernel|filter|conv|patch)_?(size|sz|shape|width|dim)s?|kernels?|k_?size|ksz|fsize|d_conv"
_LAYERS = r"(num|n|nb|nr)_?(layers?|blocks?|stacks?|cells?_layers?)|.*_(layers|depth)|layers?|depth|n_?stack"
"""Two, so that one layer's state cannot pass for that of all; one where the constructor or the call refuses two."""
_USUAL: tuple[tuple[str, tuple[Any, ...]], ...] = (
    (_KERNEL, (3,)),
    (_LAYERS, (2, 1)),
    (r"(num|n|nb)_?(attention_)?heads?|heads?|nhead|.*_heads", (2, 1)),
    (r"(dim_head|head_dim|d_head|head_size|d_k|d_v|key_size|value_size|key_dim|value_dim|d_key|d_value)", (4,)),
    (r"(num_|n_)?groups?|num_blocks_in|group_size|num_experts|n_slots|num_slots|num_reads|num_writes", (2, 1)),
    (r"order|k|rank|expand(_factor|_ratio)?|expansion(_factor)?|mult(iplier)?|ff_mult|topk|top_k|num_gates?", (2, 1)),
    (r"(num_|n_|ode_)?(unfolds?|iter(ation)?s?|substeps|inner_steps|ode_steps|power)|ode_unfolds", (2,)),
    (r"strides?|dilation(_rate)?|(conv_)?groups", (1,)),
    (r"(.*_)?padding_mode", ("zeros",)),
    (r"padding|pad", (1, "same")),
    (r"(clock_)?periods|dilations|scales", ([1, 2],)),
    (r"(stoch(astic)?|discrete|categorical)(_?(dim|size|classes))?|classes", (4,)),
    (r"(num_|n_)?(nodes|vertices|agents|joints|sensors|particles|landmarks)", (4,)),
    (r"(n_|num_)?(vocab|tokens?|words?|items?|symbols?|embeddings|chars?)(_size|_dim|_num)?", (11,)),
    # Parts of the state's width, or of the time.
    (r"(block|chunk)_?(len|length|size)", (4, 7)),
    (r"(seq|sequence|max|context|block|window|chunk|bptt|time)(_?(len|length|size|steps))+|timesteps|bptt|t_max", (7,)),
    (r"(n_|num_)?(time_?)?steps", (7,)),
    (r".*_?(idx|index)|seed|random_state|gpu_id|layer_id", (0,)),
    (r"name|scope|prefix", ("cell",)),
    (r"beta|momentum|.*decay|memory_factor", (0.9,)),
    (r"alpha", (0.95,)),
    (r"tau_?(max|high|upper|slow)|(max|slow)_?tau", (8.0,)),
    (r"tau.*", (2.0,)),
    (r"theta", (8,)),
    (r"dt|delta_?t?|.*step_?size|time_?step|ts|elapsed_time|step", (0.1,)),
    (r"gamma|mu|kappa|lambda_?|rho|sigma|zeta|omega|frac(tion)?|coeff?|q", (0.5,)),
    (r"leak.*|.*leak|lr|learning_rate|slope|negative_slope|std|stddev|init_std|noise.*|sparsity|.*_scale", (0.1,)),
    (r"(v_?)?th(resh(old)?)?|vth|v_threshold|scale|temperature|temp|.*forget_bias|forget_gate_bias", (1.0,)),
    (r"(.*_)?keep(_prob)?", (1.0,)),
    (r"(.*_)?(drop|zoneout|dropconnect)(_?(rate|prob|p|i|h|ratio))?|.*dropout.*|.*_(rate|prob)|p_?drop", (0.0,)),
    (r"eps(ilon)?|.*_eps", (1e-5,)),
    (r"(.*_)?(clip|clipping|max_value|grad_clip)(_?(value|norm|val))?", (None, 10.0)),
    (r"(.*_)?(spectral_radius|radius)", (0.9,)),
    (r"(use_?|with_?|has_?|.*_)?bias(es)?", (True,)),
    (r"batch_first|affine|trainable|learnable|elementwise_affine|state_is_tuple|track_running_stats", (True,)),
    (
        r"(use|with|is|has|do|add|apply|enable|return|learn|train|share)_.*|(.*_)?(layer_?norm|batch_?norm|bn|ln|norm|"
        r"cuda|gpu|bidirectional|stateful|residual|peepholes?|reuse|debug|verbose|normalize|normalization|training|"
        r"skip(_connections?)?|transpose|reverse|inplace|go_backwards|unroll)",
        (False,),
    ),
    (r"device", (None, "cpu")),
    (r"dtype", (None, "float32")),
    (r".*(regularizer|constraint|_mask|mask)|custom_getter|partitioner|generator", (None,)),
)  # fmt: skip
_USUAL_PATTERNS = tuple((re.compile(pattern), values) for pattern, values in _USUAL)

_EXTENT = re.compile(r"(.*_)?(height|width|rows?|cols?|columns)|[HhWw]|[hw]_(size|dim)")
_EXTENTS = re.compile(
    r"shape|hw|(.*_)?resolution|(input_)?hw|(.*_)?(spatial|image|img|frame|feature_map|feat_map|map|featmap|grid)_?"
    r"(size|shape|dims?|res)|(feature|feat|state)_shape"
)
_CONVOLVES = re.compile(r"conv(?!erg|ert|ex)", re.IGNORECASE)
_GRAPH = re.compile(r"graph|gconv|gcn|gnn|cheb|diffusion|g?dcrnn|stgcn|hetero", re.IGNORECASE)
_DIMENSIONS = frozenset("rank conv_ndims ndims n_dims spatial_dims conv_dim num_dims nd".split())


@dataclass(frozen=True)
class Image:
    """The rows of one step are images: so many spatial axes, of these extents in the probes.

    ``sure`` when the arguments leave no doubt, rather than the name of the class alone.
    """

    extents: tuple[int, ...] = (6, 7)
    sure: bool = True

    @property
    def dimensions(self) -> int:
        """How many spatial axes there are."""
        return len(self.extents)


@dataclass(frozen=True)
class Sizes:
    """The widths that one try gives to a cell."""

    input: int = INPUT
    hidden: int = HIDDEN
    output: int = OUTPUT

    def of(self, role: str) -> int:
        """The width for a role."""
        return {"input": self.input, "output": self.output}.get(role, self.hidden)


def plain(name: str) -> str:
    """The name in lower case, without a number at its end or an underscore in front."""
    return re.sub(r"(?<=[a-z])_?\d+$", "", name.lower()).strip("_")


def role_of(name: str) -> str | None:
    """What a constructor argument of this name sizes: input, hidden, both or output."""
    lowered = plain(name)
    for role, names in (
        ("input", INPUT_NAMES),
        ("hidden", HIDDEN_NAMES),
        ("both", BOTH_NAMES),
        ("output", OUTPUT_NAMES),
    ):
        if lowered in names or f"{lowered}s" in names:
            return role
    parts = words(name)
    if parts & _NO_SIZE or not parts & _SIZES:
        return None
    for role, marks in _MARKS:
        if parts & marks - {"n", "d", "c"}:
            return role
    return None


def is_size_like(name: str) -> bool:
    """Whether the name can only be a size, though not of what."""
    return _SIZE_LIKE.search(name) is not None


def is_kernel(name: str) -> bool:
    """Whether the argument is the extent of a convolution's kernel."""
    return re.fullmatch(_KERNEL, plain(name)) is not None


def counts_layers(name: str) -> bool:
    """Whether the argument is the number of layers."""
    return re.fullmatch(_LAYERS, plain(name)) is not None


def usual(name: str) -> tuple[Any, ...]:
    """The values to try for a name that has usual ones, likeliest first."""
    lowered = plain(name)
    for pattern, values in _USUAL_PATTERNS:
        if pattern.fullmatch(lowered):
            return values
    return ()


def image_of(names: Collection[str], class_name: str, given: Mapping[str, Any]) -> Image | None:
    """Whether a cell with these constructor arguments takes images, and how many spatial axes they have."""
    lowered = {plain(name) for name in names}
    kernel = any(is_kernel(name) and not name.startswith(("conv", "d_conv", "patch")) for name in lowered)
    sure = kernel or ({"height", "width"} <= lowered)
    named = _CONVOLVES.search(class_name) is not None and _GRAPH.search(class_name) is None
    if not sure and not named:
        return None
    dimensions = 2
    if match := re.search(r"([123])d", class_name, re.IGNORECASE):
        dimensions = int(match[1])
    for name, value in given.items():
        if is_kernel(name) and isinstance(value, (tuple, list)):
            dimensions = len(value)
        elif plain(name) in _DIMENSIONS and value in (1, 2, 3):
            dimensions = value
    extents = EXTENTS.get(dimensions, EXTENTS[2])
    scalars = [name for name in lowered if _EXTENT.fullmatch(name) or _EXTENTS.fullmatch(name)]
    if len(scalars) == 1 and _EXTENT.fullmatch(scalars[0]):
        extents = (6,) * dimensions
    for name, value in given.items():
        if _spatial(name, names) and isinstance(value, (tuple, list)) and all(isinstance(size, int) for size in value):
            extents = tuple(value)
    return Image(extents, sure)


def _spatial(name: str, names: Iterable[str]) -> bool:
    """Whether the argument is the height and width of the input: ``input_size`` is, where another says the channels."""
    lowered = plain(name)
    if _EXTENTS.fullmatch(lowered):
        return True
    if lowered not in ("input_shape", "input_size", "input_dim"):
        return False
    others = {plain(other) for other in names if role_of(other) == "input"} - {lowered}
    rank = {"input_shape": 0, "input_size": 1, "input_dim": 2}
    return any(rank.get(other, 3) > rank[lowered] for other in others)


def extents_of(name: str, names: Sequence[str], image: Image, channels: int, channels_last: bool) -> tuple[Any, ...]:
    """The values to try for an argument that is about the image's shape, likeliest first; none for another one."""
    lowered = plain(name)
    if lowered in _DIMENSIONS:
        return (image.dimensions,)
    if _spatial(name, names):
        return (image.extents, image.extents[0])
    if lowered in ("input_shape", "in_shape"):
        full = (*image.extents, channels) if channels_last else (channels, *image.extents)
        return (full, image.extents)
    if _EXTENT.fullmatch(lowered) and (role_of(name) in (None, "both") or lowered == "h"):
        return (image.extents[-1] if _is_last_extent(lowered) else image.extents[0],)
    return ()


def _is_last_extent(name: str) -> bool:
    return name[:1] in "wc" or "width" in name


def given_extents(kwargs: Mapping[str, Any], image: Image) -> tuple[int, ...] | None:
    """The height and the width of an image, where the arguments name both."""
    sizes = {plain(name): value for name, value in kwargs.items() if type(value) is int and value > 0}
    found = {_is_last_extent(name): value for name, value in sizes.items() if _EXTENT.fullmatch(name)}
    return (found[False], found[True]) if len(found) == image.dimensions == 2 else None


def assign(
    needed: Sequence[str], every: Iterable[str], given: Iterable[str], sizes: Collection[str] = ()
) -> dict[str, str]:
    """What each needed argument sizes, each seen beside the others.

    ``every`` are all arguments of the constructor, also those with a default. Where none is named for the state,
    an output or a second name for the input stands for it. A size of unknown role is the input's, then the state's,
    in order of position; ``sizes`` are those that are known to be one by more than their name.
    """
    roles = {name: role for name in needed if (role := role_of(name)) is not None}
    others = [role for name in {*every, *given} - {*needed} if (role := role_of(name)) is not None]
    if not {"hidden", "both"} & {*roles.values(), *others}:
        inputs = [name for name, role in roles.items() if role == "input"]
        weak = [name for name in inputs if plain(name) in WEAK]
        outputs = [name for name, role in roles.items() if role == "output"]
        if len(inputs) > 1 and weak:
            roles[weak[-1]] = "hidden"
        elif outputs:
            roles[outputs[0]] = "hidden"
    taken = {*roles.values(), *others}
    unknown = [
        name for name in needed if name not in roles and not usual(name) and (name in sizes or is_size_like(name))
    ]
    for name in unknown:
        alone = len(unknown) == 1 and not taken
        roles[name] = "hidden" if alone or "input" in taken or "both" in taken else "input"
        taken.add(roles[name])
    return roles
