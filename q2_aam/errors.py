"""One error class for users, and the builders of its messages."""

import sys
from collections.abc import Iterable, Sequence

EXAMPLES = 5
LONGEST, SHOWN = 64, 40  # letters of an example, and those of a longer one
_SAME_STUDY = "Check that both come from the same study and processing run."
_PREFIXES_TRIED = 100  # ids


class AAMError(ValueError):
    """Something that the user can put right: says what, how many, examples, and what to do."""

    def __init__(self, message: str):
        super().__init__(message[:1].upper() + message[1:])


def examples(values: Iterable, limit: int = EXAMPLES) -> str:
    """Write the first values of a collection as a quoted list: ``'a', 'b', 'c' and 17 more``.

    Of long ones, such as DNA, the beginning stands for the whole.
    """
    values = list(values)
    texts = (str(value) for value in values[:limit])
    shown = ", ".join(repr(one if len(one) <= LONGEST else f"{one[:SHOWN]}…") for one in texts)
    rest = len(values) - limit
    return f"{shown} and {rest:,} more" if rest > 0 else shown


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Write a number with its noun: ``1 sample``, ``1,200 samples``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def percent(share: float) -> str:
    """Write a share as ``69 %``; what is not all or nothing never looks so."""
    if 0 < share < 0.005 or 0.995 <= share < 1:
        return "< 1 %" if share < 0.5 else "> 99 %"
    return f"{100 * float(f'{share:.2f}'):.0f} %"  # rounded as a score of two decimals is


_SINGULAR = {
    "have": "has", "are": "is", "were": "was", "do": "does", "stand": "stands", "remain": "remains",
}  # fmt: skip


def verb(number: int, plural: str) -> str:
    """Let a verb agree with a number: 1 sample *has*, 2 samples *have*."""
    return _SINGULAR[plural] if number == 1 else plural


def no_shared_ids(
    left_name: str, left: Sequence[str], right_name: str, right: Sequence[str]
) -> AAMError:
    """Build the error for two inputs without a common id; names are the user's: ``the table``."""
    return AAMError(
        f"{left_name} and {right_name} have no ids in common.\n"
        f"  {left_name}: {counted(len(left), 'id')}, such as {examples(sorted(left))}\n"
        f"  {right_name}: {counted(len(right), 'id')}, such as {examples(sorted(right))}\n"
        f"{likely_cause(left, right) or _SAME_STUDY}"
    )


def likely_cause(left: Iterable[str], right: Iterable[str]) -> str:
    """Say in one sentence why ids differ, or nothing where no change makes them match."""
    left, right = set(left), set(right)
    changes = {
        "only by blanks around them: remove the blanks": str.strip,
        "only in upper and lower case: use one spelling in both": str.lower,
        "only by leading zeros: keep the zeros as text in both": lambda one: one.lstrip("0"),
    }
    for how, change in changes.items():
        if {change(one) for one in left} & {change(one) for one in right}:
            return f"Some ids differ {how}."
    for longer, shorter in ((left, right), (right, left)):
        for one in sorted(longer)[:_PREFIXES_TRIED]:
            for end in (place for place, letter in enumerate(one) if letter in "._-"):
                if one[end + 1 :] in shorter:
                    return (
                        f"Some ids match without the prefix '{one[: end + 1]}': add it to one "
                        "input, or remove it from the other."
                    )
    return ""


def warn(text: str) -> None:
    """Print a sentence that users must see; Python's own warnings show them source code."""
    print(f"Warning: {text}", file=sys.stderr, flush=True)
