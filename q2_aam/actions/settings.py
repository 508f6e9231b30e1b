"""Actions whose many settings are described once, in `q2_aam.parameters`."""

import functools
import inspect
from collections.abc import Callable

from ..parameters import PARAMETERS

_VIEWS = {"Int": int, "Float": float, "Str": str, "Bool": bool, "List": list}


def with_settings(names: tuple[str, ...], defaults: dict) -> Callable:
    """Give an action the named parameters, which reach it as its keyword arguments.

    QIIME 2 reads an action's parameters and their defaults from its Python signature. This writes
    the settings that several actions share into it.

    Parameters
    ----------
    names : tuple of str
        Names in `q2_aam.parameters.PARAMETERS`.
    defaults : dict
        The action's own defaults.
    """

    def decorate(function: Callable) -> Callable:
        shown = inspect.signature(function)
        kept = [one for one in shown.parameters.values() if one.kind is not one.VAR_KEYWORD]
        added = [
            inspect.Parameter(
                name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=defaults[name],
                annotation=_view_of(name),
            )
            for name in names
        ]
        signature = shown.replace(parameters=kept + added)

        @functools.wraps(function)
        def action(*values, **named):
            given = signature.bind(*values, **named)
            given.apply_defaults()
            return function(**given.arguments)

        action.__dict__ = _OwnAttributes(action.__dict__, __signature__=signature)
        action.__annotations__ = {
            one.name: one.annotation for one in signature.parameters.values()
        } | {"return": signature.return_annotation}
        return action

    return decorate


class _OwnAttributes(dict):
    """A function's attributes that are not handed on to a copy of it.

    For a visualizer or a pipeline, QIIME 2 up to 2024 makes a copy that lacks the first parameter;
    with the attribute ``__signature__`` that copy would still claim to have it.
    """

    def copy(self) -> dict:
        """Return no attributes."""
        return {}


def _view_of(name: str) -> type:
    """Return the Python type as which QIIME 2 hands a parameter over."""
    kinds = str(PARAMETERS[name].type).split(" ")[0].split("[")[0]
    return _VIEWS[kinds]
