"""One error class for users, and the builders of its messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

EXAMPLES = 5


class AAMError(ValueError):
    """Something that the user can put right: says what, how many, examples, and what to do."""


def examples(values: Iterable, limit: int = EXAMPLES) -> str:
    """Format the first values of a collection as a short, quoted list.

    Parameters
    ----------
    values : iterable
        Ids or values; sorted by the caller if the order matters.
    limit : int
        How many to show.

    Returns
    -------
    str
        For example ``'a', 'b', 'c' and 17 more``.
    """
    values = list(values)
    shown = ", ".join(repr(str(value)) for value in values[:limit])
    rest = len(values) - limit
    return f"{shown} and {rest:,} more" if rest > 0 else shown


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Write a number with its noun: ``1 sample``, ``1,200 samples``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def no_shared_ids(
    left_name: str, left: Sequence[str], right_name: str, right: Sequence[str]
) -> AAMError:
    """Build the error for two inputs that have no id in common.

    Parameters
    ----------
    left_name, right_name : str
        What the two inputs are called by the user, such as ``the table``.
    left, right : sequence of str
        Their ids.

    Returns
    -------
    AAMError
        With counts, five ids of each side and the likely cause.
    """
    return AAMError(
        f"{left_name} and {right_name} have no ids in common.\n"
        f"  {left_name}: {counted(len(left), 'id')}, such as {examples(sorted(left))}\n"
        f"  {right_name}: {counted(len(right), 'id')}, such as {examples(sorted(right))}\n"
        f"{_likely_cause(left, right)}"
    )


def _likely_cause(left: Sequence[str], right: Sequence[str]) -> str:
    right_set = set(right)

    def would_match(change) -> bool:
        changed = {change(value) for value in right_set}
        return any(change(value) in changed for value in left)

    if would_match(str.strip):
        return "Some ids differ only by blanks around them: remove the blanks."
    if would_match(str.lower):
        return "Some ids differ only in upper and lower case: use one spelling in both."
    if would_match(lambda value: value.lstrip("0")):
        return "Some ids differ only by leading zeros: keep the zeros as text in both."
    if would_match(lambda value: value.split(".", 1)[-1]):
        return "Some ids match without the part before the first dot: add or remove that prefix."
    return "Check that both come from the same study and processing run."
