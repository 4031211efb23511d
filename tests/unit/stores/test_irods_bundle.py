"""How members are packed for the server that will extract them."""

import hashlib
import io
import tarfile
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from watcher import osfacts
from watcher.names import legal_path
from watcher.stores.base import Receipt
from watcher.stores.irods.bundle import _pack
from watcher.stores.source import Source

names = st.text(st.characters(exclude_characters="/"), min_size=1, max_size=120)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(paths, st.binary(max_size=2000), min_size=1, max_size=5))
def test_a_tar_holds_the_names_as_they_are_and_the_bytes(members: dict[str, bytes]) -> None:
    members = {legal_path(path): data for path, data in members.items()}
    with tempfile.TemporaryDirectory() as folder:
        sources = {}
        for number, (target, data) in enumerate(members.items()):
            file = Path(folder, str(number))
            file.write_bytes(data)
            sources[target] = Source(file, osfacts.facts_at(file))
        packed, receipts = _pack(sources)
    assert receipts == {name: Receipt(len(data), hashlib.sha256(data).hexdigest()) for name, data in members.items()}
    with tarfile.open(fileobj=io.BytesIO(packed), encoding="utf-8") as tar:
        found = [(entry.name, entry.pax_headers, (tar.extractfile(entry) or io.BytesIO()).read()) for entry in tar]
    # A PAX header would need the server's locale to know UTF-8.
    assert found == [(name, {}, data) for name, data in members.items()]
