"""Olympus OIF and OIB, on the real samples and on parts of them."""

import shutil
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats import fluoview
from watcher.formats.base import Format
from watcher.formats.oib import FORMAT as OIB
from watcher.formats.oif import FORMAT as OIF

NAME = "Cell 1 mitoEGFP.oif"
FOLDER = f"{NAME}.files"

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte short": lambda data: data[:-1],
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:512],
    "tail of zeros": lambda data: data[: len(data) * 3 // 4].ljust(len(data), b"\0"),
    "empty": lambda _: b"",
}
SAID = {
    "acquired": "2012-07-26T15:13:35.976",
    "instrument": "FLUOVIEW FV1000",
    "objective": "UPLFLN 40X NA:0.75",
    "channels": "CH1, CH2, TD1",
    "size": "256x256x1x3x1",
    "pixel_size_um": "0.177x0.177",
    "software": "FLUOVIEW FV1000 2.1.2.5",
    "experimenter": "Guest",
}


@pytest.fixture
def oif(samples: Path, tmp_path: Path) -> Path:
    shutil.copytree(samples / "oif", tmp_path / "oif", copy_function=shutil.copyfile)
    (tmp_path / "oif").chmod(0o755)
    (tmp_path / "oif" / FOLDER).chmod(0o755)
    return tmp_path / "oif"


@pytest.mark.samples
@pytest.mark.parametrize(("form", "path"), [(OIF, f"oif/{NAME}"), (OIB, "oib/test.oib")], ids=["oif", "oib"])
def test_the_real_sample_is_sound_and_describes_itself(samples: Path, form: Format, path: str) -> None:
    file = samples / path
    assert form.recognises(file.read_bytes()[:1024], file.name)
    found = form.examine(file.parent, (file.name,))
    assert (found.sound, found.problems, found.missing, found.remarks) == (True, (), (), ())
    assert dict(found.metadata) == SAID
    assert found.sources.keys() == found.metadata.keys()


@pytest.mark.samples
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_oib_is_not_sound(samples: Path, tmp_path: Path, damage: str) -> None:
    (tmp_path / "x.oib").write_bytes(DAMAGES[damage]((samples / "oib/test.oib").read_bytes()))
    found = OIB.examine(tmp_path, ("x.oib",))
    assert found.sound is False
    assert found.problems[0].startswith("x.oib: ")


@pytest.mark.samples
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_oif_is_not_sound(oif: Path, damage: str) -> None:
    (oif / NAME).write_bytes(DAMAGES[damage]((oif / NAME).read_bytes()))
    found = OIF.examine(oif, (NAME,))
    assert found.sound is False
    assert found.problems[0].startswith(f"{NAME}: ")


@pytest.mark.samples
def test_the_folder_of_an_oif_belongs_to_the_set(oif: Path) -> None:
    claim = OIF.claim(oif / NAME)
    assert (claim.lists, claim.title, claim.problems) == ((NAME, f"{FOLDER}/"), "Cell 1 mitoEGFP", ())
    assert not OIF.recognises((oif / FOLDER / "s_C001.pty").read_bytes()[:1024], "s_C001.pty")


@pytest.mark.samples
@pytest.mark.parametrize(
    "gone", ["s_C002.tif", "s_C003.pty", "s_LUT2.lut", "s_286352832-137694875.roi", "s_Thumb.pty", "s_C001.pty"]
)
def test_a_missing_plane_is_named(oif: Path, gone: str) -> None:
    (oif / FOLDER / gone).unlink()
    found = OIF.examine(oif, (NAME,))
    assert (found.sound, found.missing) == (False, (f"{FOLDER}/{gone}",))
    assert found.problems == (f"{FOLDER}/{gone}: missing, {NAME} lists it",)


@pytest.mark.samples
def test_a_missing_folder_is_named_once(oif: Path) -> None:
    shutil.rmtree(oif / FOLDER)
    found = OIF.examine(oif, (NAME,))
    assert (found.sound, found.missing, len(found.problems)) == (False, (f"{FOLDER}/",), 1)


@pytest.mark.samples
def test_a_renamed_set_and_other_cases_of_names_are_still_whole(oif: Path) -> None:
    new = "x [1] #2 100% é.oif"
    (oif / NAME).rename(oif / new)
    (oif / FOLDER).rename(oif / f"{new}.files")
    (oif / f"{new}.files" / "s_C001.tif").rename(oif / f"{new}.files" / "S_c001.TIF")
    assert OIF.claim(oif / new).lists == (new, f"{new}.files/")
    assert OIF.examine(oif, (new,)).problems == ()


def text(first: str, last: str, frames: int, more: str = "") -> bytes:
    said = f'[ProfileSaveInfo]\r\nFrameCount={frames}\r\nPtyFileNameS="{first}"\r\nPtyFileNameE="{last}"\r\n{more}'
    return (said + '[Version Info]\r\nSystemVersion="4.2"\r\n').encode("utf-16")


def synthetic_oif(folder: Path, data: bytes, planes: tuple[str, ...] = ()) -> None:
    """A settings text with just the keys of the list, and empty planes."""
    (folder / "x.oif").write_bytes(data)
    (folder / "x.oif.files").mkdir()
    for name in planes:
        (folder / "x.oif.files" / f"{name}.pty").write_bytes(b"[File Info]\n")
        (folder / "x.oif.files" / f"{name}.tif").touch()


def test_all_planes_between_the_first_and_the_last_are_expected(tmp_path: Path) -> None:
    first, last = r"x.oif.files\s_C001Z008.pty", r"x.oif.files\s_C002Z010.pty"
    synthetic_oif(tmp_path, text(first, last, 6), tuple(f"s_C00{c}Z0{z:02}" for c in (1, 2) for z in (8, 10)))
    assert OIF.examine(tmp_path, ("x.oif",)).missing == tuple(
        f"x.oif.files/s_C00{c}Z009.{kind}" for c in (1, 2) for kind in ("pty", "tif")
    )


def test_a_stopped_run_needs_only_the_planes_that_are_certain(tmp_path: Path) -> None:
    synthetic_oif(tmp_path, text("s_C001T001.pty", "s_C002T003.pty", 5), ("s_C001T001", "s_C002T003"))
    found = OIF.examine(tmp_path, ("x.oif",))
    assert (found.sound, found.missing) == (True, ())
    assert found.remarks[0].startswith("x.oif: 5 planes are listed")


def test_very_many_missing_planes_are_counted_and_not_all_told(tmp_path: Path) -> None:
    synthetic_oif(tmp_path, text("s_T00001.pty", "s_T20000.pty", 20000))
    found = OIF.examine(tmp_path, ("x.oif",))
    assert len(found.missing) == 40000
    assert len(found.problems) == 21
    assert found.problems[-1] == "39980 more files are missing, up to x.oif.files/s_T20000.tif"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "data",
    [
        text("s_T1.pty", "s_T999999999.pty", 999999999),
        text("s_1_1_1_1_1.pty", "s_9999_9999_9999_9999_9999.pty", 0).replace("FrameCount=0".encode("utf-16-le"), b""),
        text("s_" + "1" * 5000 + ".pty", "s_" + "9" * 5000 + ".pty", 7),
        text("s_C001.pty", "s_C001.pty", 1, r'RoiFileName0="..\..\..\etc\passwd"' + "\r\n"),
        text("C:\\s_C001.pty", "s_C001.pty", 1),
        "\ufeff[ProfileSaveInfo]\r\n".encode("utf-16-le") + b"=\0" * 900_000,
        b"[" * 6_000_000,
    ],
    ids=["frames", "product", "digits", "outside", "drive", "no values", "too long"],
)
def test_malicious_lists_cost_little(tmp_path: Path, data: bytes) -> None:
    synthetic_oif(tmp_path, data)
    tracemalloc.start()
    found = OIF.examine(tmp_path, ("x.oif",))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 << 20
    assert found.sound is False
    assert len(found.problems) <= 21
    assert not any(".." in name for name in found.missing)


def test_what_only_looks_alike_is_not_claimed() -> None:
    magic = bytes.fromhex("d0cf11e0a1b11ae1")
    assert not OIB.recognises(magic + bytes(1016), "letter.doc")
    assert OIB.recognises(magic.ljust(600, b"\0") + "OibInfo.txt".encode("utf-16-le"), "renamed.dat")
    assert not OIF.recognises(b"PK\3\4", "x.oif")
    assert not OIF.recognises("[File Info]".encode("utf-16"), "x.ini")


@pytest.mark.samples
def test_a_plane_that_was_never_written_is_found_in_an_oib(samples: Path, tmp_path: Path) -> None:
    data = bytearray((samples / "oib/test.oib").read_bytes())
    at = (35 + 1) * 4096  # Stream00002 = s_C002.tif
    data[at : at + 131412] = bytes(131412)
    (tmp_path / "x.oib").write_bytes(data)
    (problem,) = OIB.examine(tmp_path, ("x.oib",)).problems
    assert problem == "x.oib: damaged: 1 of its planes, as s_c002.tif, do not begin as an image"


def changed(samples: Path, tmp_path: Path, at: int, value: bytes) -> tuple[str, ...]:
    data = bytearray((samples / "oib/test.oib").read_bytes())
    data[at : at + len(value)] = value
    (tmp_path / "x.oib").write_bytes(data)
    return OIB.examine(tmp_path, ("x.oib",)).problems


@pytest.mark.timeout(60)
@pytest.mark.samples
@pytest.mark.parametrize(
    ("at", "value"),
    [
        (44, b"\xff\xff\xff\x7f"),
        (4096 + 4, struct.pack("<I", 1)),
        (4096 + 4 * 2, struct.pack("<I", 0xFFFFFFFE)),
        (4096 + 4 * 296, struct.pack("<I", 296)),
        (2 * 4096 + 2 * 128 + 120, struct.pack("<Q", 1 << 60)),
        (2 * 4096 + 15 * 128 + 66, b"\0"),
        (4096, bytes(4096)),
    ],
    ids=["tables", "circle of the list", "stream too short", "circle of a table", "length", "no names", "zeros"],
)
def test_a_damaged_structure_of_an_oib_is_found_at_once(samples: Path, tmp_path: Path, at: int, value: bytes) -> None:
    (problem,) = changed(samples, tmp_path, at, value)
    assert problem.startswith("x.oib: ")


@pytest.mark.timeout(60)
def test_a_long_chain_without_an_end_costs_little(tmp_path: Path) -> None:
    tables, entries = 2048, 2048 * 128  # a file of 128 MB, mostly a hole, in which each part leads to the next
    header = bytes.fromhex("d0cf11e0a1b11ae1").ljust(24, b"\0") + struct.pack("<5H", 62, 3, 0xFFFE, 9, 6)
    header += bytes(10) + struct.pack("<8I", tables, 2200, 0, 4096, 2300, 1, tables, 16)
    header += struct.pack("<109I", *range(109))
    chain = struct.pack(f"<{entries}I", *range(1, entries + 1))
    with (tmp_path / "x.oib").open("wb") as file:
        file.write(header + chain)
        listed = [*range(109, tables)]
        for sector, first in enumerate(range(0, len(listed), 127), start=tables):
            file.seek((sector + 1) * 512)
            file.write(
                struct.pack(
                    "<128I", *listed[first : first + 127], *[0] * (127 - len(listed[first : first + 127])), sector + 1
                )
            )
        file.truncate((entries + 1) * 512)
    found = OIB.examine(tmp_path, ("x.oib",))
    assert found.sound is False


@pytest.mark.samples
@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_no_content_crashes(samples: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    for form, name, good in ((OIB, "x.oib", samples / "oib/test.oib"), (OIF, "x.oif", samples / "oif" / NAME)):
        whole, junk = good.read_bytes()[: 340 * 4096], data.draw(st.binary(max_size=300))
        at = data.draw(st.integers(0, min(len(whole), 12_000)))
        content = whole[:at] + junk + whole[at + len(junk) :] if data.draw(st.booleans()) else junk
        (folder / name).write_bytes(content)
        (folder / "x.oif.files").mkdir(exist_ok=True)
        form.recognises(content[:1024], name)
        assert name in form.claim(folder / name).lists
        assert form.examine(folder, (name,)).sound in (True, False, None)


@pytest.mark.parametrize(("value", "said"), [("0,207.0", "0.207x0.207"), ("0.5", "0.5x0.5"), ("x", None)])
def test_pixel_sizes_with_a_decimal_comma_are_understood(value: str, said: str | None) -> None:
    image = {"WidthConvertValue": value, "HeightConvertValue": value, "WidthUnit": "um", "HeightUnit": "um"}
    assert fluoview.described({"Reference Image Parameter": image}, {})[0].get("pixel_size_um") == said
