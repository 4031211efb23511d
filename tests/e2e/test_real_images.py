"""Real images from real microscopes arrive byte-identical, by `once` and by `run`, in a folder and in a zone."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.conftest import BASE, Program
from tests.e2e.contents import SIDECARS, check_with_sha256sum, digest, in_archive, in_zone, on_disk
from tests.irods_server import IrodsServer

#: The sample folders by the rule that groups them: NDTiff and CV8000 are directories until their families are known.
_BY_RULE = {"auto": ("tiff", "ome-tiff"), "directory": ("ndtiff", "cv8000")}


@pytest.fixture(params=sorted(_BY_RULE))
def rule(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _copy(samples: Path, rule: str, into: Path) -> None:
    for kind in _BY_RULE[rule]:
        shutil.copytree(samples / kind, into / kind, copy_function=shutil.copyfile)
    for path in into.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _profile(program: Program, rule: str) -> None:
    capture = ', capture: "{kind}/"' if rule == "directory" else ""
    program.write_profile(
        f"instrument: {{name: Scope-1}}\nwatch: [{{path: data, settle: 0s, sweep: 1s{capture}}}]\n"
        f"sets: {{group: {rule}}}\ncomplete: {{quiet: 0s}}\nstore: {program.store}\n"
    )


def _digests(found: dict[str, str]) -> Counter[str]:
    """What arrived, whatever the names of its collections are: every file of the disk must be there once."""
    return Counter(found.values())


@pytest.mark.samples
@pytest.mark.parametrize("verb", ["once", "run"])
def test_all_samples_arrive_in_the_folder_store(archive_program: Program, samples: Path, rule: str, verb: str) -> None:
    program = archive_program
    _copy(samples, rule, program.data)
    _profile(program, rule)
    _deliver(program, verb)
    expected = on_disk(program.data)
    assert _digests(in_archive(program.home / "archive")) == Counter(expected.values())
    sets = program.sets()
    assert {one["state"] for one in sets} == {"published"}
    for one in sets:
        check_with_sha256sum(program.home / "archive" / one["collection"])
    assert on_disk(program.data) == expected


@pytest.mark.samples
@pytest.mark.parametrize("verb", ["once", "run"])
def test_all_samples_arrive_in_irods(
    irods_program: Program, server: IrodsServer, samples: Path, rule: str, verb: str
) -> None:
    program = irods_program
    _copy(samples, rule, program.data)
    _profile(program, rule)
    _deliver(program, verb)
    expected = on_disk(program.data)
    assert _digests(in_zone(server)) == Counter(expected.values())
    for one in program.sets("published"):
        avus = {(name, value) for name, value, _ in server.avus(one["collection"])}
        assert ("acq:state", "complete") in avus
        assert ("acq:num_files", str(len(one["members"]))) in avus
        manifest = server.objects(one["collection"] + "/")[one["collection"] + "/manifest-sha256.txt"].read()
        assert ("acq:manifest.sha256", digest(manifest)) in avus
        assert manifest.decode() == "".join(
            f"{m['sha256']}  {m['path']}\n" for m in sorted(one["members"], key=lambda m: str(m["path"]))
        )
    assert on_disk(program.data) == expected


@pytest.mark.samples
def test_a_directory_of_a_plate_is_one_collection_with_the_same_tree(
    irods_program: Program, server: IrodsServer, samples: Path
) -> None:
    program = irods_program
    _copy(samples, "directory", program.data)
    _profile(program, "directory")
    _deliver(program, "once")
    plate = next((program.data / "cv8000").iterdir())
    prefix = f"{BASE}/Scope-1/cv8000/{plate.name}/"
    there = {path.removeprefix(prefix) for path in server.objects(prefix)} - SIDECARS
    assert there == on_disk(plate).keys()


@pytest.mark.samples
def test_an_ome_tiff_with_companion_is_one_set_and_says_what_it_is(archive_program: Program, samples: Path) -> None:
    program = archive_program
    _copy(samples, "auto", program.data)
    found = program.json("inspect", program.data / "ome-tiff" / "multifile-Z3.ome.tiff")["sets"]
    assert len(found) == 1
    assert {m["path"] for m in found[0]["members"]} == {
        *(f"multifile-Z{z}.ome.tiff" for z in range(1, 6)), "multifile.companion.ome",
    }  # fmt: skip
    assert (found[0]["format"], found[0]["complete"], found[0]["sound"]) == ("ome-tiff", True, True)


def _deliver(program: Program, verb: str) -> None:
    if verb == "once":
        result = program("once", "profile.yaml")
        assert result.returncode == 0, result.stdout + result.stderr
        return
    process = program.start("run", "profile.yaml")
    program.wait_for(lambda: bool(program.sets()) and {one["state"] for one in program.sets()} == {"published"}, 120)
    assert program.stop(process) == 0
