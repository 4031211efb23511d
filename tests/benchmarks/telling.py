"""How figures are said."""

from collections.abc import Sequence


def tell(text: str = "") -> None:
    """Say it to whoever runs the benchmark."""
    print(text, flush=True)  # noqa: T201


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table: the first column to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        tell("  " + "  ".join((str.rjust if i else str.ljust)(text, widths[i]) for i, text in enumerate(row)).rstrip())
