"""What a framework has set for the whole process: kept and put back, without importing one that nobody uses."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

Restore = Callable[[], None]


@dataclass(frozen=True)
class _Setting:
    """One setting of a module: how it is read and set, and what it is where nobody has set it."""

    module: str
    read: Callable[[ModuleType], Any]
    write: Callable[[ModuleType, Any], Any]
    usual: Callable[[ModuleType], Any]


SETTINGS = (
    _Setting(
        "torch",
        lambda torch: torch.get_default_dtype(),
        lambda torch, dtype: torch.set_default_dtype(dtype),
        lambda torch: torch.float32,
    ),
    _Setting(
        "torch",
        lambda torch: torch.is_grad_enabled(),
        lambda torch, enabled: torch.set_grad_enabled(enabled),
        lambda torch: True,
    ),
    _Setting(
        "torch",
        lambda torch: torch.are_deterministic_algorithms_enabled(),
        lambda torch, enabled: torch.use_deterministic_algorithms(enabled),
        lambda torch: False,
    ),
    _Setting(
        "keras.config",
        lambda config: config.floatx(),
        lambda config, dtype: config.set_floatx(dtype),
        lambda config: "float32",
    ),
    _Setting(
        "keras.config",
        lambda config: config.dtype_policy(),
        lambda config, policy: config.set_dtype_policy(policy),
        lambda config: type(config.dtype_policy())("float32"),
    ),
    _Setting(
        "keras.config",
        lambda config: config.image_data_format(),
        lambda config, layout: config.set_image_data_format(layout),
        lambda config: "channels_last",
    ),
    _Setting(
        "tensorflow",
        lambda tf: tf.config.functions_run_eagerly(),
        lambda tf, eagerly: tf.config.run_functions_eagerly(eagerly),
        lambda tf: False,
    ),
    # Eager execution that is off stays off.
    _Setting("tensorflow", lambda tf: tf.executing_eagerly(), lambda tf, eagerly: None, lambda tf: True),
)


def keep() -> Restore:
    """Puts the settings of the frameworks that are loaded now back where they are now."""
    found = [(item, module, item.read(module)) for item in SETTINGS if (module := _loaded(item)) is not None]

    def restore() -> None:
        for item, module, value in found:
            if item.read(module) != value:
                item.write(module, value)

    return restore


def altered() -> bool:
    """Whether a framework that is loaded is set otherwise than it is by itself."""
    return any(
        _name(item.read(module)) != _name(item.usual(module))
        for item in SETTINGS
        if (module := _loaded(item)) is not None
    )


def _name(value: Any) -> Any:
    return getattr(value, "name", value)


def _loaded(item: _Setting) -> ModuleType | None:
    """The module, once its import is through."""
    module = sys.modules.get(item.module)
    if module is None:
        return None
    try:
        item.read(module)
    except Exception:
        return None
    return module
