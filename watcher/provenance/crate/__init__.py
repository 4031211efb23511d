"""The RO-Crate that travels with an image set: `text` writes it, `contents_in` and `changes_in` read it back."""

from watcher.provenance.crate.contents import Contents, contents_in, contents_of
from watcher.provenance.crate.document import Change, changes_in, text
from watcher.provenance.crate.graph import NAME

__all__ = ["NAME", "Change", "Contents", "changes_in", "contents_in", "contents_of", "text"]
