"""A CSV file as booking systems export it: a head with the names of the columns, then rows."""

import csv
import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from watcher.errors import DocumentError
from watcher.profile.document import content

#: A larger file is no table of persons or bookings.
MAX_BYTES: Final = 32_000_000


class Place(NamedTuple):
    """Where something stands in a file; both count from 1. In a table a column is a field, not a letter."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the values by our own names for the columns, and which field each is."""

    line: int
    values: Mapping[str, str]
    fields: Mapping[str, int]

    def __getitem__(self, key: str) -> str:
        """The value in a column, "" if there is none."""
        return self.values.get(key, "")

    def at(self, key: str) -> Place:
        """Where that value stands."""
        return Place(self.line, self.fields.get(key, 1))


def read_table(
    path: Path, columns: Mapping[str, str], needed: Collection[str], error: type[DocumentError]
) -> list[Row]:
    """The rows that hold anything, of a file in UTF-8 parted by commas, semicolons or tabs.

    `columns` gives the file's name for each of ours; only the `needed` ones must be there. Raises `error`.
    """
    text = _text(path, error)
    head = text.partition("\n")[0]
    # Of one column alone the commas are in its values.
    parted_by = max(",;\t", key=head.count) if any(sign in head for sign in ",;\t") else "\x1f"
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=parted_by, strict=True)
    try:
        fields = {name.strip(): number for number, name in enumerate(next(reader, []), 1)}
        for key in needed:
            if columns[key] not in fields:
                there = ", ".join(fields) or "none at all"
                raise error([f"{path}:1:1: there is no column `{columns[key]}`; there are {there}"])
        known = {key: fields[name] for key, name in columns.items() if name in fields}
        rows = [Row(reader.line_num, _values(known, row), known) for row in reader]
    except csv.Error as problem:
        raise error([f"{path}:{reader.line_num}:1: this is no row of a table ({problem})"]) from None
    return [row for row in rows if any(row.values.values())]


def _text(path: Path, error: type[DocumentError]) -> str:
    data = content(path, "table", MAX_BYTES, error)
    if len(data) > MAX_BYTES:
        raise error([f"{path}:1:1: this file is larger than {MAX_BYTES:,} bytes and cannot be a table"])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise error([f"{path}:{line}:1: this row is not UTF-8; export or save the file as UTF-8"]) from None


def _values(known: Mapping[str, int], row: list[str]) -> dict[str, str]:
    return {key: row[number - 1].strip() for key, number in known.items() if number <= len(row)}
