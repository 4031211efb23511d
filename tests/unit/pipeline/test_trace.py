"""What is told of an instrument's files, and the profile that is proposed for them."""

import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.unit.pipeline.conftest import FakeClock
from watcher import simulate
from watcher.cli import tracing
from watcher.cli.app import app
from watcher.errors import UsageError
from watcher.model import FileFacts
from watcher.pipeline.proposal import Proposal, propose
from watcher.pipeline.trace import Kind, Snapshot, Story, Trace, longest_pause, look
from watcher.profile import Profile, load, units


class Bench:
    """A folder, an instrument in it, and a trace that looks whenever time passes."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.root = base / "data"
        self.root.mkdir()
        self.clock = FakeClock()
        self.trace = Trace()
        self.pause(0)

    def pause(self, seconds: float) -> None:
        """Look, then let time pass, as an instrument does before it writes its next file."""
        self.trace.add(look(self.root, self.clock.now()))
        self.clock.advance(seconds)

    def write(self, name: str, content: bytes = b"pixels", *, then: float = 1.0) -> Path:
        """Write a file, and go on after some time."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        # Later than what was written before, whatever the file system's clock can tell apart.
        os.utime(path, (self.clock.now(), self.clock.now()))
        self.pause(then)
        return path

    def touch(self, path: Path, *, then: float = 1.0) -> None:
        """Change a file without changing its size."""
        os.utime(path, (self.clock.now(), self.clock.now()))
        self.pause(then)

    def end(self) -> tuple[Proposal, Profile]:
        """What is proposed after a long rest, also as a profile that was read."""
        for _ in range(60):
            self.pause(10)
        proposal = propose(self.trace, self.root)
        return proposal, loaded(self.base / "scope.yaml", proposal, self.trace, self.root)

    def kinds(self) -> dict[Kind, int]:
        """How many changes of each kind there were."""
        counted: dict[Kind, int] = {}
        for line in self.trace.lines.values():
            counted[line.kind] = counted.get(line.kind, 0) + line.times
        return counted


def loaded(path: Path, proposal: Proposal, trace: Trace, root: Path) -> Profile:
    path.write_text(tracing.profile_text(proposal, trace, root, "Scope-1"), encoding="utf-8")
    return load(path)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def _slow(kind: str, bench: Bench, name: str, factor: float = 1.0) -> None:
    simulate.KINDS[kind](bench.root, name, pause=lambda seconds: bench.pause(seconds * factor))


def test_a_growing_stack_is_quiet_for_longer_than_its_longest_pause(bench: Bench) -> None:
    _slow("growing-stack", bench, "timelapse", factor=80)
    proposal, profile = bench.end()
    (found,) = proposal.sets
    assert (found.group.format, found.pause) == ("tiff", 40.0)
    assert profile.complete.quiet > found.pause
    assert profile.complete.quiet >= 120
    assert profile.complete.marker is None
    assert profile.watch[0].settle > found.pause
    assert "40 s" in proposal.quiet.reason
    (line,) = [one for one in bench.trace.lines.values() if one.kind is Kind.GREW]
    assert (line.files, line.times) == (1, 7)


def test_a_series_keeps_together_by_its_lists_and_its_temporary_names_are_left_out(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, image: Any, **options: Any) -> None:
        beside = path.with_name(f"{path.name}.writing")
        imwrite(path, image, **options)
        path.replace(beside)
        bench.pause(1)
        beside.replace(path)

    imwrite = simulate._write
    monkeypatch.setattr(simulate, "_write", write)
    _slow("ome-tiff-series", bench, "embryo")
    proposal, profile = bench.end()
    assert [(one.group.name, one.group.format, len(one.stories)) for one in proposal.sets] == [
        ("embryo", "ome-tiff", 5)
    ]
    assert profile.watch[0].exclude == ("**/*.writing",)
    assert "became embryo_Z01.ome.tif" in proposal.exclude[0].reason
    assert profile.sets.group == "auto"
    assert bench.kinds()[Kind.RENAMED] == 5


def test_the_last_file_of_each_directory_is_its_marker(bench: Bench) -> None:
    for name in ("plate1", "plate2"):
        _slow("plane-directory", bench, name)
    proposal, profile = bench.end()
    assert [(one.group.name, len(one.stories)) for one in proposal.sets] == [("plate1", 7), ("plate2", 7)]
    assert profile.complete.marker == "metadata.json"
    assert proposal.marker is not None
    assert "all 2 sets" in proposal.marker.reason
    assert profile.sets.group == "auto"
    assert "by their folder" in proposal.group.reason
    assert not any("one set only" in remark for remark in proposal.remarks)


def test_a_marker_that_was_seen_once_is_proposed_with_a_doubt(bench: Bench) -> None:
    _slow("plane-directory", bench, "plate")
    proposal, profile = bench.end()
    assert profile.complete.marker == "metadata.json"
    assert any("one set only" in remark for remark in proposal.remarks)


def test_a_marker_with_a_name_of_its_own_is_told_by_its_suffix(bench: Bench) -> None:
    for name in ("a1", "b2"):
        bench.write(f"{name}.raw")
        bench.write(f"{name}.xml")
        bench.write(f"{name}.done", b"")
    proposal, profile = bench.end()
    assert profile.complete.marker == "*.done"
    assert profile.sets.group == "stem"
    assert len(proposal.sets) == 2


def test_the_last_one_of_many_is_no_marker(bench: Bench) -> None:
    for number in range(4):
        bench.write(f"plate/p{number:04d}.raw")
    proposal, profile = bench.end()
    assert (profile.sets.group, len(proposal.sets)) == ("auto", 1)
    assert profile.complete.marker is None


def test_what_only_one_of_the_sets_ended_with_is_no_marker(bench: Bench) -> None:
    bench.write("a.raw")
    bench.write("a.done", b"")
    bench.write("b.done", b"")
    bench.write("b.raw", bytes(2_000_000))
    proposal, profile = bench.end()
    assert profile.complete.marker is None
    assert any("1 of 2" in remark for remark in proposal.remarks)


def test_a_file_that_was_there_first_and_is_rewritten_last_is_no_marker(bench: Bench) -> None:
    about = bench.write("run/metadata.txt", b"[")
    bench.write("run/a.raw", bytes(10))
    bench.write("run/b.raw", bytes(10))
    about.write_bytes(b"[]")
    _, profile = bench.end()
    assert profile.complete.marker is None


def test_a_new_folder_of_files_that_say_nothing_is_one_set(bench: Bench) -> None:
    for number in range(4):
        bench.write(f"jdoe/run1/{number}.raw")
    (bench.root / "jdoe" / "other.raw").write_bytes(b"x")
    proposal, profile = bench.end()
    assert "jdoe" in proposal.group.reason
    assert (profile.sets.group, profile.watch[0].capture) == ("directory", "")


def test_folders_that_were_there_before_ask_for_a_capture(tmp_path: Path) -> None:
    (tmp_path / "data" / "jdoe").mkdir(parents=True)
    (tmp_path / "data").rename(tmp_path / "before")
    bench = Bench(tmp_path)
    (tmp_path / "before" / "jdoe").rename(bench.root / "jdoe")
    bench.trace = Trace()
    bench.pause(1)
    for number in range(4):
        bench.write(f"jdoe/run1/{number}.raw")
    proposal, profile = bench.end()
    assert (profile.sets.group, profile.watch[0].capture) == ("directory", "{level1}/")
    assert [(str(one.group.folder), len(one.stories)) for one in proposal.sets] == [("jdoe/run1", 4)]


def test_a_preallocated_file_is_told_apart_from_one_that_rests(bench: Bench) -> None:
    path = bench.write("stack.raw", bytes(1000))
    for _ in range(5):
        bench.touch(path, then=30)
    path.write_bytes(bytes(700))
    proposal, profile = bench.end()
    story = bench.trace.stories["stack.raw"]
    assert story.preallocated
    assert dict(story.times) == {Kind.CREATED: 1, Kind.REWRITTEN: 5, Kind.SHRANK: 1}
    assert any("size stood still" in remark for remark in proposal.remarks)
    assert profile.complete.quiet > 30


def test_a_rewrite_after_the_end_is_told_and_asks_for_patience(bench: Bench) -> None:
    path = bench.write("scan.raw", then=100)
    bench.touch(path)
    proposal, profile = bench.end()
    assert profile.complete.quiet > 100
    assert profile.watch[0].settle >= 200
    assert any("after up to 100 s of rest" in remark for remark in proposal.remarks)


def test_a_name_that_was_changed_long_after_is_a_persons_doing(bench: Bench) -> None:
    bench.write("Untitled_1.raw")
    for _ in range(10):
        bench.pause(10)
    (bench.root / "Untitled_1.raw").rename(bench.root / "cell A.raw")
    proposal, profile = bench.end()
    assert profile.watch[0].exclude == ()
    assert any("Untitled_1.raw became cell A.raw" in remark for remark in proposal.remarks)


@pytest.mark.parametrize(
    ("old", "new", "pattern"),
    [
        ("scan.czi.busy", "scan.czi", "**/*.busy"),
        ("new-scan.czi", "scan.czi", "**/new-*"),
        ("scan.busy", "scan.czi", "**/*.busy"),
        ("~AB12.czi", "scan.czi", "**/~AB*.czi"),
        ("run.open/1.raw", "run/1.raw", "**/*.open/**"),
        ("a{b}.x*", "a.czi", "**/*.x?"),
    ],
)
def test_a_temporary_name_becomes_the_pattern_that_spares_what_stays(
    bench: Bench, old: str, new: str, pattern: str
) -> None:
    bench.write(old)
    top = old.partition("/")[0]
    (bench.root / top).rename(bench.root / new.partition("/")[0])
    _, profile = bench.end()
    assert profile.watch[0].exclude == (pattern,)


def test_what_is_ignored_already_is_not_proposed(bench: Bench) -> None:
    bench.write("scan.czi.tmp")
    (bench.root / "scan.czi.tmp").rename(bench.root / "scan.czi")
    proposal, profile = bench.end()
    assert profile.watch[0].exclude == ()
    assert len(proposal.sets) == 1


def test_a_buffer_that_is_made_and_removed_is_left_out(bench: Bench) -> None:
    buffer = bench.write("frames.buf")
    bench.write("scan.raw")
    buffer.unlink()
    _, profile = bench.end()
    assert profile.watch[0].exclude == ("**/*.buf",)


def test_a_name_that_is_no_utf8_stands_in_the_profile_as_its_code(bench: Bench) -> None:
    old = os.fsdecode(b"caf\xe9.busy")
    bench.write(old)
    (bench.root / old).rename(bench.root / os.fsdecode(b"caf\xe9.raw"))
    proposal, profile = bench.end()
    assert profile.watch[0].exclude == ("**/*.busy",)
    assert len(proposal.sets) == 1
    assert "udce9" in tracing.profile_text(proposal, bench.trace, bench.root, "x")


def _facts(size: int, mtime: int, identity: str = "") -> FileFacts:
    return FileFacts(size, mtime, identity)


def _traced(*looks: dict[str, FileFacts]) -> Trace:
    trace = Trace()
    for number, files in enumerate(looks):
        trace.add(Snapshot(float(number), files))
    return trace


def _happened(trace: Trace) -> list[tuple[Kind, str]]:
    return [(one.kind, one.names) for one in trace.lines.values()]


def test_what_was_there_before_and_stays_is_not_told() -> None:
    trace = _traced({"a": _facts(1, 1, "1")}, {"a": _facts(1, 1, "1")})
    assert (_happened(trace), trace.there_before) == ([], 1)


def test_another_file_under_a_name_is_told_apart_from_a_change() -> None:
    trace = _traced({"a": _facts(1, 1, "1")}, {"a": _facts(1, 2, "2")})
    assert _happened(trace) == [(Kind.REPLACED, "a")]


def test_a_file_that_takes_the_place_of_another_is_renamed() -> None:
    trace = _traced({"a": _facts(1, 1, "1"), "b": _facts(1, 1, "2")}, {"b": _facts(1, 1, "1")})
    assert _happened(trace) == [(Kind.RENAMED, "a -> b")]


def test_a_number_that_is_given_to_another_file_is_no_rename() -> None:
    trace = _traced({"old.lock": _facts(9, 5, "1")}, {"new.tif": _facts(3, 6, "1")})
    assert _happened(trace) == [(Kind.CREATED, "new.tif"), (Kind.REMOVED, "old.lock")]


def test_numbers_that_are_new_at_each_look_are_no_change() -> None:
    assert _happened(_traced({"a": _facts(1, 1, "1")}, {"a": _facts(1, 1, "2")})) == []


def test_where_files_have_no_numbers_every_removal_is_told() -> None:
    trace = _traced({}, {"a": _facts(0, 1), "b": _facts(0, 1)}, {})
    assert trace.present == []


def test_a_folder_that_cannot_be_read_is_not_empty() -> None:
    trace = Trace()
    files = {"a/1": _facts(1, 1), "b": _facts(1, 1)}
    trace.add(Snapshot(0, files, frozenset({"a"})))
    trace.add(Snapshot(1, {"b": files["b"]}, frozenset({"a"}), frozenset({"a"})))
    trace.add(Snapshot(2, {}, frozenset(), frozenset({""})))
    trace.add(Snapshot(3, files, frozenset({"a"})))
    assert _happened(trace) == []


def test_files_of_one_pattern_are_one_line() -> None:
    trace = _traced({}, {f"plane_{n:04d}.tif": _facts(1, n, str(n)) for n in range(500)})
    ((kind, names),) = _happened(trace)
    assert (kind, names) == (Kind.CREATED, "plane_#.tif")
    assert [story.path for story in trace.present][:2] == ["plane_0000.tif", "plane_0001.tif"]


def test_what_is_remembered_of_a_file_is_bounded_and_the_longest_pauses_stay() -> None:
    story = Story("a", _facts(0, 0), 0.0)
    at = 0.0
    for number in range(1000):
        at += 500 if number == 300 else 200 if number == 600 else 1
        story.note(Kind.GREW, at, _facts(number, number))
    assert (len(story.events), len(story.spans), story.times[Kind.GREW]) == (12, 16, 1000)
    assert longest_pause(story.spans) == 500
    assert longest_pause([*story.spans, (290.0, 810.0)]) == 200


def test_names_without_end_do_not_fill_the_timeline() -> None:
    letters = [f"{chr(97 + a)}{chr(97 + b)}" for a in range(26) for b in range(26)]
    trace = _traced({}, {name: _facts(1, 1, name) for name in letters})
    assert len(trace.lines) == 201
    assert sum(line.times for line in trace.lines.values()) == len(letters)


def _recorded(root: Path, act: Callable[[int], object], *, quiet: float | None = None) -> Trace:
    """A recording of ten seconds in which something happens before each look."""

    class Acting(FakeClock):
        count = 0

        def wait(self, seconds: float, wake: threading.Event) -> bool:
            self.count += 1
            act(self.count)
            return super().wait(seconds, wake)

    return tracing.record(root, Acting(), threading.Event(), 1.0, 10.0, quiet, live=False)


def test_recording_ends_when_its_time_is_over(tmp_path: Path) -> None:
    trace = _recorded(tmp_path, lambda number: (tmp_path / f"{number}.raw").write_bytes(b"x"))
    assert (trace.looks, len(trace.present), trace.at - trace.started) == (11, 10, 10.0)


def test_recording_ends_when_nothing_changes_for_long(tmp_path: Path) -> None:
    trace = _recorded(tmp_path, lambda number: number <= 3 and (tmp_path / "1.raw").write_bytes(b"x" * number), quiet=4)
    assert trace.at - trace.started == 7.0


def _run(*words: str | Path) -> tuple[int, str]:
    if not any(one.callback is tracing.observe for one in app.registered_commands):
        app.command()(tracing.observe)
    result = CliRunner().invoke(app, ["observe", *map(str, words)], standalone_mode=False)
    if result.exception:
        raise result.exception
    return int(result.return_value), result.stdout


def test_where_nothing_happens_nothing_is_proposed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    code, _ = _run(tmp_path / "data", "--for", "0s", "--profile-out", tmp_path / "out.yaml")
    assert code == 5
    assert not (tmp_path / "out.yaml").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "no such folder"),
        (["data", "--every", "0s"], "at least 1s"),
        (["data", "--for", "10"], "has no unit"),
        (["data", "--instrument", "a/b"], "without /"),
        (["data", "--profile-out", "data/x.yaml"], "in the observed folder"),
        (["data", "--profile-out", "there.yaml"], "already"),
    ],
)
def test_what_would_fail_at_the_end_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "there.yaml").write_text("")
    with pytest.raises(UsageError, match=message):
        _run(*words)


_PARTS = st.sampled_from(
    ["a", "b1", "b2", "run", "c.tif", "c.tif.busy", "c.done", ".x", "x.tmp", "~$d", "{e}*", "${HOME}", "\udcff.raw",
     "new\nline", "'q'#: ", "img_z001.tif", "img_z002.tif", "\u2028", "!no", "[f].buf", "Ä\U0001f600"]
)  # fmt: skip
_FILES = st.dictionaries(
    st.lists(_PARTS, min_size=1, max_size=3).map("/".join),
    st.builds(FileFacts, st.integers(0, 5), st.integers(0, 5), st.sampled_from(["", "1", "2", "3"])),
    max_size=8,
)


def _snapshots(steps: Iterable[tuple[dict[str, FileFacts], int]]) -> Iterable[Snapshot]:
    at = 1e9
    for files, later in steps:
        at += later
        folders = {path.rsplit("/", n)[0] for path in files for n in range(1, path.count("/") + 1)}
        yield Snapshot(at, files, frozenset(folders))


@given(st.lists(st.tuples(_FILES, st.integers(1, 100_000)), max_size=6))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_happens_the_proposal_is_a_profile(steps: list[tuple[dict[str, FileFacts], int]]) -> None:
    trace = Trace()
    for snapshot in _snapshots(steps):
        trace.add(snapshot)
    with tempfile.TemporaryDirectory() as base:
        root = Path(base, "data ${x} 'q'")
        proposal = propose(trace, root, lambda _: None)
        profile = loaded(Path(base, "scope.yaml"), proposal, trace, root)
    assert profile.watch[0].path == root
    assert profile.complete.quiet == units.seconds(proposal.quiet.value)
    assert all(profile.complete.quiet > one.pause for one in proposal.sets)
    assert profile.complete.deadline > profile.complete.quiet
    assert all(line.isprintable() for line in tracing.timeline(trace))
    json.dumps(tracing.as_record(trace, proposal, ""))
