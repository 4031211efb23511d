"""The whole way of sets that are written through NFSRODS: a modelled mount, the test server's catalogue, the daemon."""

from tests.integration.mounted import LANDING, Mounted
from watcher.model import State


def test_a_set_is_published_where_it_was_written(mounted: Mounted) -> None:
    mounted.write("run1/a.dat", b"pixels")
    mounted.write("run1/sub/b.dat", b"more")
    mounted.rest()
    assert mounted.states() == {"run1": State.PUBLISHED}
    assert mounted.said(f"{LANDING}/run1")["acq:state"] == "complete"
