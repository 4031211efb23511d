"""What is known of a format without importing its code: enough to decide whether a file may be of it."""

import fnmatch
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """One format: where its code is, how its files may begin or be named, and what the README says of it.

    module is the module in `watcher.formats` whose FORMAT keeps the Protocol. A file is looked at by it if one of the
    `magic` byte strings stands at its offset in the head, or one of the `patterns` (lower-case globs) matches its name.
    A folder whose name ends in one of `folders` is a set with everything in it. `extensions` are those that its files
    usually have; another one is remarked on ("" among them: anything goes).
    """

    name: str
    module: str
    title: str
    magic: tuple[tuple[int, bytes], ...] = ()
    patterns: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ("",)
    folders: tuple[str, ...] = ()
    set_rule: str = ""
    signals: str = ""
    checks: str = ""
    metadata: str = ""
    sample: str = "synthetic"

    @property
    def endings(self) -> tuple[str, ...]:
        """The extensions that say something."""
        return tuple(ending for ending in self.extensions if ending)

    def promised_by(self, name: str) -> bool:
        """Whether a file of this name should be of this family."""
        return bool(self.endings) and name.lower().endswith(self.endings)

    def begins(self, head: bytes) -> bool:
        """Whether a file with this head may be of this family."""
        return bool(self.magic) and any(head.startswith(mark, at) for at, mark in self.magic)

    def is_named(self, name: str) -> bool:
        """Whether a file of this name may be of this family whatever is in it."""
        lower = name.lower()
        return any(fnmatch.fnmatchcase(lower, pattern) for pattern in self.patterns)

    def usual(self, name: str) -> bool:
        """Whether files of this family are usually named so."""
        return "" in self.extensions or name.lower().endswith(self.extensions)
