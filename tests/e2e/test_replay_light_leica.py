"""Leica microscopes, replayed while the watcher runs: projects in one file (LIF) and in a folder (XLEF)."""

from pathlib import Path

from tests.e2e.replay import Append, Pause, Script, Waits, Whole, Write, replay
from tests.unit.formats import test_leica_project as leica
from tests.unit.formats.test_leica_lof import synthetic_lof
from tests.unit.formats.test_lif import IMAGES, listing, memory_block, synthetic_lif, text_block
from watcher.model import State

#: Longer than the quiet time of a replay: a set whose files do not tell that they are unfinished would be sent.
LONG = 1.5


def project(images: dict[str, tuple[str, int]]) -> bytes:
    """A LIF with these images."""
    blocks = {"MemBlock_0": 0} | {block: size for block, (_, size) in images.items()}
    return text_block(listing(images)) + b"".join(memory_block(*block) for block in blocks.items())


def test_a_lif_that_is_saved_again_and_again_is_a_version_for_each_content(tmp_path: Path) -> None:
    name, first, second = "my project.lif", synthetic_lif(), project({**IMAGES, "MemBlock_3": ("Series003", 5000)})
    steps: Script = [
        Write(name, first[:-50]),
        Pause(0.4),
        Append(name, first[-50:]),
        Whole("my project", [name]),
        # The whole project is written anew, with one image more.
        Write(name, second[:-4000]),
        Pause(LONG),
        Append(name, second[-4000:]),
        Whole("my project", [name], version=2),
    ]
    replay("leica-lif", steps, tmp_path, under="lab/ada")


def test_a_lif_that_is_saved_without_a_change_is_no_new_version(tmp_path: Path) -> None:
    name, data = "my project.lif", synthetic_lif()
    steps: Script = [
        Write(name, data),
        Whole("my project", [name]),
        Write(name, data[:-50]),
        Append(name, data[-50:]),
        Pause(2.0),
    ]
    done = replay("leica-lif", steps, tmp_path, under="lab/ada")
    moves = [(one.version, one.state) for one in done.told.moves]
    assert (2, State.VALID) in moves, "the second save was not looked at"
    assert moves.count((1, State.PUBLISHED)) == 2


def test_a_lif_takes_its_sidecar_along(tmp_path: Path) -> None:
    sidecar = synthetic_lif(root="LMSDataContainerEnhancedHeader")
    steps: Script = [
        Write("a b.lif", synthetic_lif()),
        Pause(0.6),
        Write("a b.lifext", sidecar[:-9]),
        Pause(LONG),
        Waits("a b", "a b.lifext: cut off"),
        Append("a b.lifext", sidecar[-9:]),
        Whole("a b", ["a b.lif", "a b.lifext"]),
    ]
    replay("leica-lif", steps, tmp_path, under="lab/ada")


def test_an_xlef_project_waits_for_all_that_it_names(tmp_path: Path) -> None:
    def document(name: str, text: str) -> Write:
        return Write(f"Project 1/{name}", text.encode())

    one, two = synthetic_lof(), synthetic_lof(length=60)
    steps: Script = [
        document("P.xlef", leica.naming()),
        # The first image: its file grows, its description comes last; then the project is told of it.
        Write("Project 1/first.lof", one[:60]),
        Pause(0.5),
        Append("Project 1/first.lof", one[60:]),
        document("Metadata/first.xlif", leica.image(r"..\first.lof")),
        document("P.xlef", leica.naming("Metadata/first.xlif")),
        Pause(0.5),
        # The second: the project is told of it before its file is whole.
        document("P.xlef", leica.naming("Metadata/first.xlif", "Metadata/second%20%231.xlif")),
        document("Metadata/second #1.xlif", leica.image(r"..\second%20%231.lof")),
        Pause(LONG),
        Waits("P", "second #1.lof"),
        Write("Project 1/second #1.lof", two[:-9]),
        Pause(LONG),
        Waits("P", "second #1.lof"),
        Append("Project 1/second #1.lof", two[-9:]),
        Whole(
            "P",
            ["P.xlef", "Metadata/first.xlif", "Metadata/second #1.xlif", "first.lof", "second #1.lof"],
            folder="Project 1",
        ),
    ]
    replay("leica-xlef", steps, tmp_path, under="ada")
