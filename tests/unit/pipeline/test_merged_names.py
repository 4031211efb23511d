"""A disk that is blind to case: two files that it would make one are held by name, and nothing is sent."""

from tests.unit.pipeline.conftest import Bench
from watcher.model import State
from watcher.osfacts import Blindness
from watcher.stores.folder import FolderStore


def test_two_members_that_the_archive_would_merge_hold_their_set_until_one_is_renamed(bench: Bench) -> None:
    bench.store = FolderStore(bench.archive, probe=lambda _: Blindness(case=True, form=True))
    bench.configure(sets={"group": "directory"})
    bench.write("run/A.tif", b"upper")
    bench.write("run/a.tif", b"lower")
    bench.write("other/A.tif", b"alone")
    bench.finish()
    assert bench.states() == {"other": State.PUBLISHED, "run": State.HELD}
    held = next(one for one in bench.sets() if one.name == "run")
    assert held.reason.startswith("A.tif and a.tif: the archive's disk takes these two names for the same")
    assert set(bench.archived()) == {"scope/other/A.tif"}
    (bench.root / "run/a.tif").rename(bench.root / "run/b.tif")
    bench.finish()
    bench.finish()
    assert bench.states() == {"other": State.PUBLISHED, "run": State.PUBLISHED}
    assert bench.archived("scope/run") == {"A.tif": b"upper", "b.tif": b"lower"}
