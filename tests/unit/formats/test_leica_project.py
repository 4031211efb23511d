"""Leica XLEF projects. There is no real project to test with: these are synthetic, built from the published layout."""

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.base import Examination
from watcher.formats.leica_project import FORMAT, MAX_NAMES

IMAGE = """<Data><Image><ImageDescription><Dimensions>
<DimensionDescription DimID="1" NumberOfElements="6"/><DimensionDescription DimID="2" NumberOfElements="5"/>
</Dimensions></ImageDescription></Image></Data>"""


def document(inside: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<LMSDataContainerHeader Version="2"><Element Name="Some of it">'
        f"{inside}</Element></LMSDataContainerHeader>"
    )


def naming(*files: str) -> str:
    """An XLEF, XLCF or XLLF."""
    references = "".join(f'<Reference File="{file}" UUID="u"/>' for file in files)
    return document(f"<Children>{references}</Children>")


def image(*files: str, size: int = 30) -> str:
    """An XLIF whose image is in these files, 30 bytes each."""
    frames = "".join(f'<Frame File="{file}" Offset="{30 * at}" Size="{size}"/>' for at, file in enumerate(files))
    return document(f'{IMAGE}<Memory Size="{30 * len(files)}" MemoryBlockID="MemBlock_1">{frames}</Memory>')


def lof(length: int = 30) -> bytes:
    name = "LMS_Object_File".encode("utf-16-le")
    start = struct.pack("<IIBI", 0x70, len(name) + 5, 0x2A, 15) + name
    return start + struct.pack("<BIBIBQ", 0x2A, 2, 0x2A, 0, 0x2A, length) + bytes(length)


def synthetic_xlef(folder: Path) -> tuple[str, ...]:
    """A project as LAS X writes it: documents in Metadata, image data beside the project, names quoted as in a URL."""
    (folder / "Metadata").mkdir()
    texts = {
        "My project.xlef": naming(r".%5CMetadata%5Cfirst%20%231.xlif", r".%5CMetadata%5CGroup.xlcf"),
        "Metadata/Group.xlcf": naming("Über [2].xlif"),
        "Metadata/first #1.xlif": image(r"..\first%20%231--Z00.tif", r"..\FIRST%20%231--Z01.TIF"),
        "Metadata/Über [2].xlif": image("..\\100%.lof"),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name in ("first #1--Z00.tif", "first #1--Z01.tif"):
        (folder / name).write_bytes(b"II*\0" + bytes(60))
    (folder / "100%.lof").write_bytes(lof())
    return tuple(texts)


def examined(folder: Path, **texts: str) -> Examination:
    """What is found in a project of documents that lie in one folder; a_xlif is a.xlif."""
    for name, text in texts.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return FORMAT.examine(folder, (next(iter(texts)).replace("_", "."),))


def test_a_whole_project_is_known_and_sound(tmp_path: Path) -> None:
    names = synthetic_xlef(tmp_path)
    for name in names:
        assert FORMAT.recognises((tmp_path / name).read_bytes()[:1024], Path(name).name)
    for members in (names, names[:1]):
        found = FORMAT.examine(tmp_path, members)
        assert (found.sound, found.problems, found.missing, found.remarks) == (True, (), (), ())
        assert found.checked == "xlef:references+frames"
        assert found.metadata == {"size": "6x5x1x1x1"}
        assert found.sources == {"size": "DimensionDescription@NumberOfElements"}


def test_the_folder_of_a_project_is_the_set(tmp_path: Path) -> None:
    synthetic_xlef(tmp_path)
    whole = FORMAT.claim(tmp_path / "My project.xlef")
    assert whole.lists == ("My project.xlef", "Metadata/first #1.xlif", "Metadata/Group.xlcf")
    assert (whole.tree, whole.title, whole.problems) == (".", "My project", ())
    part = FORMAT.claim(tmp_path / "Metadata" / "first #1.xlif")
    assert (part.tree, part.lists, part.problems) == ("..", ("first #1.xlif",), ())
    group = FORMAT.claim(tmp_path / "Metadata" / "Group.xlcf")
    assert (group.tree, group.lists, group.title) == (None, ("Group.xlcf", "Über [2].xlif"), "Group")


def test_a_project_in_one_folder_lists_what_it_names(tmp_path: Path) -> None:
    found = examined(tmp_path, p_xlef=naming("a.xlif"), a_xlif=image("A.lof", "b.lof"))
    assert found.missing == ("A.lof", "b.lof")
    (tmp_path / "a.lof").write_bytes(lof())
    (tmp_path / "b.lof").write_bytes(lof())
    assert FORMAT.examine(tmp_path, ("p.xlef", "a.xlif")).sound
    claim = FORMAT.claim(tmp_path / "a.xlif")
    assert (claim.lists, claim.tree) == (("a.xlif", "a.lof", "b.lof"), None)


@pytest.mark.parametrize(
    ("gone", "missing"),
    [
        ("first #1--Z01.tif", "FIRST #1--Z01.TIF"),
        ("100%.lof", "100%.lof"),
        ("Metadata/Über [2].xlif", "Metadata/Über [2].xlif"),
        ("Metadata/Group.xlcf", "Metadata/Group.xlcf"),
        ("My project.xlef", "My project.xlef"),
    ],
)
def test_whatever_is_missing_is_named(tmp_path: Path, gone: str, missing: str) -> None:
    names = synthetic_xlef(tmp_path)
    (tmp_path / gone).unlink()
    found = FORMAT.examine(tmp_path, names)
    assert (found.sound, found.missing) == (False, (missing,))
    assert found.problems == (f"{missing}: missing, and its project names it",)


def test_an_image_whose_files_are_above_its_folder_is_checked_alone_too(tmp_path: Path) -> None:
    synthetic_xlef(tmp_path)
    assert FORMAT.examine(tmp_path / "Metadata", ("first #1.xlif",)).sound
    (tmp_path / "first #1--Z00.tif").unlink()
    assert FORMAT.examine(tmp_path / "Metadata", ("first #1.xlif",)).missing == ("../first #1--Z00.tif",)


def test_very_many_missing_files_are_not_all_spelled_out(tmp_path: Path) -> None:
    found = examined(tmp_path, a_xlif=image(*(f"t{number:04d}.tif" for number in range(500))))
    assert len(found.missing) == 500
    assert found.problems[-1] == "480 more files are missing, up to t0499.tif"


@pytest.mark.parametrize("keep", [0.99, 0.5, 0.1, 0])
@pytest.mark.parametrize("name", ["My project.xlef", "Metadata/Group.xlcf", "Metadata/first #1.xlif"])
def test_a_document_that_was_cut_is_found(tmp_path: Path, name: str, keep: float) -> None:
    synthetic_xlef(tmp_path)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * keep)])
    found = FORMAT.examine(tmp_path, ("My project.xlef",))
    assert found.sound is False
    says = "its XML is cut off or damaged" if keep else "unfinished: it is empty"
    assert found.problems[0].startswith(f"{name}: {says}")


def test_a_document_with_a_zeroed_tail_is_found(tmp_path: Path) -> None:
    found = examined(tmp_path, a_xlef=naming("b.xlif")[:150].ljust(300, "\0"))
    assert found.problems[0].startswith("a.xlef: its XML is cut off or damaged")


def test_files_with_image_data_that_are_not_there_yet_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.tif").touch()
    (tmp_path / "b.lof").write_bytes(lof(29))
    found = examined(tmp_path, a_xlif=image("a.tif", "b.lof"))
    assert found.problems == (
        "a.tif: unfinished: it is empty",
        "b.lof: incomplete: a.xlif speaks of 30 bytes of image data, it has 29",
    )


def test_an_image_that_is_said_to_be_larger_than_its_files_is_remarked_on(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\0")
    found = examined(tmp_path, a_xlif=image("a.tif", size=20))
    assert found.sound
    assert found.remarks == ("a.xlif: its files are said to hold 20 of the 30 bytes of its image",)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_any_encoding_of_the_documents_is_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "é.lof").write_bytes(lof())
    text = image("é.lof").replace("utf-8", "utf-16" if encoding == "utf-16" else "utf-8")
    (tmp_path / "a.xlif").write_text(text, encoding=encoding)
    assert FORMAT.recognises((tmp_path / "a.xlif").read_bytes()[:1024], "a.xlif")
    assert FORMAT.examine(tmp_path, ("a.xlif",)).sound


@pytest.mark.parametrize(("head", "name"), [(b"", "a.xlif"), (b"<OME/>", "a.xlef"), (naming().encode(), "a.xml")])
def test_other_files_are_not_projects(head: bytes, name: str) -> None:
    assert not FORMAT.recognises(head, name)


@pytest.mark.parametrize(
    "said", ["../../etc/passwd", "/etc/passwd", r"C:\Users\ada\a.tif", "%2e%2e/%2e%2e/a", r"\\pc\a"]
)
def test_names_that_leave_the_project_are_problems(tmp_path: Path, said: str) -> None:
    found = examined(tmp_path, a_xlif=image(said))
    claim = FORMAT.claim(tmp_path / "a.xlif")
    assert (claim.lists, claim.tree) == (("a.xlif",), None)
    assert claim.problems == found.problems
    assert found.problems[0].startswith("a.xlif: it names a file outside of its project")
    assert found.missing == ()


def test_a_circle_of_documents_ends(tmp_path: Path) -> None:
    found = examined(tmp_path, a_xlef=naming("b.xlcf", "a.xlef"), b_xlcf=naming("a.xlef", "B.xlcf", ".", "./b.xlcf"))
    assert found.problems == ("b.xlcf: it names a file outside of its project, '.', which is left out",)


def test_a_folder_that_is_named_as_a_document_is_missing_as_one(tmp_path: Path) -> None:
    (tmp_path / "b.xlif").mkdir()
    assert examined(tmp_path, a_xlef=naming("b.xlif")).missing == ("b.xlif",)


def test_an_entity_bomb_is_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY a "ada"><!ENTITY b "&a;&a;">]><LMSDataContainerHeader>&b;</LMSDataContainerHeader>'
    found = examined(tmp_path, a_xlef=bomb)
    assert found.problems == ("a.xlef: its XML defines a document type or entities, and was not read",)
    assert FORMAT.claim(tmp_path / "a.xlef").lists == ("a.xlef",)


@pytest.mark.timeout(60)
def test_absurd_numbers_of_names_cost_little_and_are_not_vouched_for(tmp_path: Path) -> None:
    (tmp_path / "a.lof").write_bytes(lof())
    each = image(*["a.lof"] * 40_000)
    found = examined(
        tmp_path, p_xlef=naming(*(f"{at}.xlif" for at in range(4))), **{f"{at}_xlif": each for at in range(4)}
    )
    assert (found.sound, found.checked) == (None, found.checked)
    assert found.checked.startswith(f"unchecked: it names more than {MAX_NAMES} files")


def test_a_folder_that_is_gone_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FORMAT.examine(tmp_path / "gone", ("a.xlef",))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(said=st.text(max_size=30), data=st.binary(max_size=200), at=st.integers(0, 300), value=st.integers(0, 255))
def test_no_content_raises(
    said: str, data: bytes, at: int, value: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    quoted = "".join(f"&#{ord(letter)};" for letter in said)
    whole = bytearray(naming("a.xlef", "b.lof", quoted).encode())
    changed = bytearray(whole)
    changed[at % len(changed)] = value
    for content in (data, b"<LMSDataContainerHeader>" + data, bytes(whole), bytes(changed)):
        (folder / "a.xlef").write_bytes(content)
        FORMAT.recognises(content, "a.xlef")
        assert FORMAT.claim(folder / "a.xlef").lists[0] == "a.xlef"
        found = FORMAT.examine(folder, ("a.xlef",))
        assert found.sound or found.problems or found.checked.startswith("unchecked: ")
