"""Actions whose many settings are described once, in `q2_aam.parameters`."""

import inspect
from collections.abc import Callable

from decorator import FunctionMaker

from ..parameters import PARAMETERS

_VIEWS = {"Int": int, "Threads": int, "Float": float, "Str": str, "Bool": bool, "List": list}


def with_settings(names: tuple[str, ...], defaults: dict) -> Callable:
    """Give an action the named parameters, which reach it as its keyword arguments.

    QIIME 2 reads an action's parameters and their defaults from its Python signature, and calls a
    pipeline by a copy of it. So this makes a function with the settings that several actions share
    in its signature; without annotations for a pipeline, which may have none.

    Parameters
    ----------
    names : tuple of str
        Names in `q2_aam.parameters.PARAMETERS`.
    defaults : dict
        The action's own defaults.
    """

    def decorate(function: Callable) -> Callable:
        kept = [
            one
            for one in inspect.signature(function).parameters.values()
            if one.kind is not one.VAR_KEYWORD
        ]
        annotations = dict(function.__annotations__)
        if annotations:
            annotations |= {name: _view_of(name) for name in names}
        of_kept = [one.default for one in kept if one.default is not one.empty]
        shown = [one.name for one in kept] + list(names)
        action = FunctionMaker.create(
            f"{function.__name__}({', '.join(shown)})",
            f"return action({', '.join(f'{name}={name}' for name in shown)})",
            {"action": function},
            defaults=(*of_kept, *(defaults[name] for name in names)),
            doc=function.__doc__,
            module=function.__module__,
        )
        action.__annotations__ = annotations
        return action

    return decorate


def _view_of(name: str) -> type:
    """Return the Python type as which QIIME 2 hands a parameter over."""
    kinds = str(PARAMETERS[name].type).split(" ")[0].split("[")[0]
    return _VIEWS[kinds]
