"""Choices explained where every interface shows them: in the description of the action."""


def explain_choices(action) -> None:
    """Add the help of all parameters that offer choices to the description of their action.

    Galaxy shows a list of choices without the parameter's help.

    Parameters
    ----------
    action : qiime2.sdk.Action
        A registered action; its description is extended.
    """
    explained = [
        f"{name}: {spec.description}"
        for name, spec in action.signature.parameters.items()
        if "Choices(" in repr(spec.qiime_type)
    ]
    if explained:
        action.description = "\n\n".join([action.description, *explained])
