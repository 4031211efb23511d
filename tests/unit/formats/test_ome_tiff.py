"""OME-TIFF sets: which files belong together, and what is wrong with them; on small files made here."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from watcher.formats import by_name, look
from watcher.formats.base import Claim, Examination

ROOT = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'


def tiff(path: Path, xml: str, pages: int = 1) -> None:
    image = np.ones((pages, 8, 8), np.uint8)
    tifffile.imwrite(path, image, description=xml.encode(), metadata=None, photometric="minisblack")


def listing(files: dict[str, str], uuid: str = "", planes: int = 1) -> str:
    blocks = "".join(
        f'<TiffData IFD="0" PlaneCount="{planes}"><UUID FileName="{name}">{of}</UUID></TiffData>'
        for name, of in files.items()
    )
    own = f' UUID="{uuid}"' if uuid else ""
    sizes = f'SizeX="8" SizeY="8" SizeZ="{len(files) * planes}" SizeC="1" SizeT="1"'
    return f"{ROOT}{own}><Image><Pixels {sizes}>{blocks}</Pixels></Image></OME>"


def series(folder: Path, *names: str) -> dict[str, str]:
    """A set of one plane a file, each of which lists all."""
    files = {name: f"urn:uuid:{name[:-8]}" for name in names}
    for name, uuid in files.items():
        tiff(folder / name, listing(files, uuid))
    return files


def claimed(path: Path) -> Claim:
    claim = look(path)
    assert claim is not None
    return claim


def examined(folder: Path) -> Examination:
    return by_name("ome-tiff").examine(folder, tuple(sorted(file.name for file in folder.iterdir())))


def test_each_file_of_a_series_claims_the_same_set(tmp_path: Path) -> None:
    files = series(tmp_path, "cells-Z1.ome.tif", "cells-Z2.ome.tif", "cells-Z3.ome.tif")
    claims = {claimed(tmp_path / name) for name in files}
    assert claims == {Claim("ome-tiff", tuple(files), "cells")}
    found = examined(tmp_path)
    assert (found.sound, found.problems, found.checked) == (True, (), "ome-tiff:ifd-walk+set")
    assert found.metadata["size"] == "8x8x3x1x1"


@pytest.mark.parametrize(
    ("names", "title"),
    [
        (("one.ome.tif",), "one"),
        (("one.ome.tiff",), "one"),
        (("one_Z1.OME.TIF",), "one_Z1"),
        (("beads_Z01.ome.tif", "beads_Z12.ome.tif"), "beads"),
        (("day 1_t001.ome.tif", "day 1_t002.ome.tif"), "day 1"),
        (("left.ome.tif", "right.ome.tif"), "left"),
        (("1.ome.tif", "12.ome.tif"), "1"),
    ],
)
def test_the_title_is_what_the_names_share(tmp_path: Path, names: tuple[str, ...], title: str) -> None:
    files = series(tmp_path, *names)
    assert {claimed(tmp_path / name).title for name in files} == {title}


def test_a_missing_member_is_named(tmp_path: Path) -> None:
    series(tmp_path, "a.ome.tif", "b.ome.tif", "c.ome.tif")
    (tmp_path / "b.ome.tif").unlink()
    found = examined(tmp_path)
    assert (found.sound, found.missing) == (False, ("b.ome.tif",))
    assert found.problems == ("b.ome.tif: missing, a.ome.tif lists it",)


def test_very_many_missing_members_are_not_all_spelled_out(tmp_path: Path) -> None:
    files = {f"t{number:04d}.ome.tif": "" for number in range(500)}
    tiff(tmp_path / "t0000.ome.tif", listing(files))
    found = examined(tmp_path)
    assert len(found.missing) == 499
    assert found.problems[0] == "t0001.ome.tif: missing, t0000.ome.tif lists it"
    assert found.problems[-1] == "479 more files are missing, up to t0499.ome.tif"


def test_a_listed_file_is_checked_even_if_it_was_not_handed_over(tmp_path: Path) -> None:
    series(tmp_path, "a.ome.tif", "b.ome.tif")
    (tmp_path / "b.ome.tif").write_bytes((tmp_path / "b.ome.tif").read_bytes()[:-1])
    found = by_name("ome-tiff").examine(tmp_path, ("a.ome.tif",))
    assert found.sound is False
    assert found.problems[0].startswith("b.ome.tif: cut off")


def test_a_file_of_another_run_under_a_listed_name_is_found(tmp_path: Path) -> None:
    files = series(tmp_path, "a.ome.tif", "b.ome.tif")
    tiff(tmp_path / "b.ome.tif", listing(files, "urn:uuid:yesterday"))
    assert examined(tmp_path).problems == (
        "b.ome.tif: it is not the file that a.ome.tif lists: its identifier is urn:uuid:yesterday, not urn:uuid:b",
    )


def test_identifiers_are_compared_whatever_their_case(tmp_path: Path) -> None:
    tiff(tmp_path / "a.ome.tif", listing({"a.ome.tif": "urn:uuid:ABC"}, "URN:UUID:abc"))
    assert examined(tmp_path).sound


def test_a_file_with_fewer_pages_than_listed_is_found(tmp_path: Path) -> None:
    for name in "ab":
        files = {"a.ome.tif": "urn:uuid:a", "b.ome.tif": "urn:uuid:b"}
        tiff(tmp_path / f"{name}.ome.tif", listing(files, f"urn:uuid:{name}", planes=3), pages=3 if name == "a" else 2)
    assert examined(tmp_path).problems == ("b.ome.tif: incomplete: a.ome.tif lists 3 pages in it, the file has 2",)


def test_a_renamed_file_still_knows_itself(tmp_path: Path) -> None:
    series(tmp_path, "a.ome.tif")
    (tmp_path / "a.ome.tif").rename(tmp_path / "renamed by me.tif")
    assert claimed(tmp_path / "renamed by me.tif").lists == ("renamed by me.tif",)
    assert examined(tmp_path).sound


@pytest.mark.parametrize(
    "name",
    ["../other.ome.tif", "/etc/passwd", "C:\\data\\x.tif", "c:x.tif", "sub\\x.tif", "a/../../x.tif", "..", "&#10;"],
)
def test_names_that_leave_the_folder_are_reported_and_not_listed(tmp_path: Path, name: str) -> None:
    tiff(tmp_path / "a.ome.tif", listing({"a.ome.tif": "urn:uuid:a", name: "urn:uuid:x"}, "urn:uuid:a"))
    tiff(tmp_path / "b.ome.tif", f'{ROOT}><BinaryOnly MetadataFile="{name}"/></OME>')
    for file in ("a.ome.tif", "b.ome.tif"):
        claim = claimed(tmp_path / file)
        assert claim.lists == (file,)
        assert "outside of its folder" in claim.problems[0]
    assert examined(tmp_path).sound is False


def test_a_name_in_a_folder_below_is_listed(tmp_path: Path) -> None:
    tiff(tmp_path / "a.ome.tif", listing({"./a.ome.tif": "", "planes/b.ome.tif": ""}))
    assert claimed(tmp_path / "a.ome.tif").lists == ("a.ome.tif", "planes/b.ome.tif")


def test_a_companion_may_list_plain_tiffs(tmp_path: Path) -> None:
    (tmp_path / "set.companion.ome").write_text(listing({"a.tif": "urn:uuid:a", "b.tif": "urn:uuid:b"}))
    tiff(tmp_path / "a.tif", "a plain one")
    tiff(tmp_path / "b.tif", "another")
    claim = claimed(tmp_path / "set.companion.ome")
    assert (claim.lists, claim.title) == (("set.companion.ome", "a.tif", "b.tif"), "set")
    assert examined(tmp_path).sound
    (tmp_path / "b.tif").unlink()
    assert examined(tmp_path).missing == ("b.tif",)


def test_a_companion_that_does_not_name_its_files_is_found(tmp_path: Path) -> None:
    (tmp_path / "set.companion.ome").write_text(f'{ROOT}><Image><Pixels SizeZ="2"><TiffData/></Pixels></Image></OME>')
    assert claimed(tmp_path / "set.companion.ome").lists == ("set.companion.ome",)
    assert "does not name the files" in examined(tmp_path).problems[0]


@pytest.mark.parametrize("name", ["a.ome.tif/b.tif", "n" * 300 + ".tif", "folder"])
def test_listed_names_that_no_file_can_have_are_missing(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    tiff(tmp_path / "a.ome.tif", listing({"a.ome.tif": "", name: ""}))
    assert by_name("ome-tiff").examine(tmp_path, ("a.ome.tif",)).missing == (name,)


def test_a_companion_that_lists_nothing_is_found(tmp_path: Path) -> None:
    (tmp_path / "set.companion.ome").write_text(f"{ROOT}/>")
    assert examined(tmp_path).problems == ("set.companion.ome: the OME-XML lists no image file",)


def test_the_master_may_be_one_of_the_tiffs_and_come_last(tmp_path: Path) -> None:
    tiff(
        tmp_path / "a.ome.tif",
        f'{ROOT} UUID="urn:uuid:a"><BinaryOnly MetadataFile="z.ome.tif" UUID="urn:uuid:z"/></OME>',
    )
    files = {"a.ome.tif": "urn:uuid:a", "m.ome.tif": "urn:uuid:m", "z.ome.tif": "urn:uuid:z"}
    tiff(tmp_path / "z.ome.tif", listing(files, "urn:uuid:z"))
    assert claimed(tmp_path / "a.ome.tif").lists == ("a.ome.tif", "z.ome.tif")
    assert examined(tmp_path).missing == ("m.ome.tif",)


def test_what_the_master_lists_counts_and_not_what_points_to_it(tmp_path: Path) -> None:
    tiff(tmp_path / "a.ome.tif", f'{ROOT}><BinaryOnly MetadataFile="z.ome.tif" UUID="urn:uuid:z"/></OME>')
    tiff(tmp_path / "z.ome.tif", listing({"a.ome.tif": "", "z.ome.tif": "urn:uuid:z"}, "urn:uuid:z", planes=2))
    assert [problem.partition(":")[0] for problem in examined(tmp_path).problems] == ["z.ome.tif", "a.ome.tif"]


def test_what_follows_the_end_of_the_text_is_not_read(tmp_path: Path) -> None:
    text = listing({"a.ome.tif": ""}).ljust(1 << 20, "\0") + "<left over from the last run>"
    tiff(tmp_path / "a.ome.tif", text)
    assert examined(tmp_path).problems == ()


def test_damaged_ome_xml_is_said_when_claimed_and_when_examined(tmp_path: Path) -> None:
    tiff(tmp_path / "a.ome.tif", listing({"a.ome.tif": ""})[:-9])
    claim = claimed(tmp_path / "a.ome.tif")
    assert (claim.format, claim.lists) == ("ome-tiff", ("a.ome.tif",))
    assert "cut off or damaged" in claim.problems[0]
    assert "cut off or damaged" in examined(tmp_path).problems[0]


def test_a_person_is_told_only_under_the_key_experimenter(tmp_path: Path) -> None:
    xml = listing({"a.ome.tif": "", "gone.ome.tif": ""}).replace("<Image>", '<Experimenter UserName="mmuster"/><Image>')
    tiff(tmp_path / "a.ome.tif", xml)
    found = examined(tmp_path)
    assert found.metadata["experimenter"] == "mmuster"
    assert "mmuster" not in str((found.problems, found.checked, claimed(tmp_path / "a.ome.tif")))
