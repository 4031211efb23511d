"""Reading a profile: from the bytes of a file to a Profile, or to the list of everything that is wrong in it."""

import hashlib
from pathlib import Path
from typing import Any, Final

from watcher.errors import ProfileError
from watcher.profile import document
from watcher.profile.models import Document, Profile
from watcher.profile.problems import Wording

#: What the design names and this version does not do; the words finish "this version does not ...".
_LATER: Final = {
    "notify": "send messages",
}
_KIND: Final = document.Kind(
    "profile", "the keys instrument, watch and store", "`irods-watcher init` writes a profile", ProfileError
)
_WORDING: Final = Wording(Document, _LATER)


def load(path: Path) -> Profile:
    """The profile in a YAML file, with all paths absolute and `${NAME}` replaced from the environment.

    Raises ProfileError with one line for each thing that is wrong, in the order of the file.
    """
    found, written = document.load(path, Document, _KIND, _WORDING, variables=True)
    sections: dict[str, Any] = dict(found)
    return Profile(**sections, source=path.absolute(), digest=hashlib.sha256(written.content).hexdigest())
