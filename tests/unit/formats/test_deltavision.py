"""DeltaVision: one real file, and synthetic ones."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.base import Examination
from watcher.formats.deltavision import FORMAT

REAL = "dv/toxo.dv"


def synthetic_dv(order: str = "<", planes: int = 6, mode: int = 6, waves: int = 3, times: int = 1) -> bytes:
    """Header as in Bio-Formats' DeltavisionReader, and black planes of 8 x 4 pixels."""
    head = bytearray(1024)
    struct.pack_into(order + "4i", head, 0, 8, 4, planes, mode)
    struct.pack_into(order + "3f", head, 40, 0.1, 0.1, 0.25)
    struct.pack_into(order + "ih", head, 92, 256, -16224)
    struct.pack_into(order + "h", head, 162, 10612)
    struct.pack_into(order + "h", head, 180, times)
    struct.pack_into(order + "6h", head, 196, waves, 457, 528, 617, 0, 0)
    size = {0: 1, 1: 2, 2: 4, 3: 4, 4: 8, 5: 2, 6: 2, 7: 4}.get(mode, 2)
    return bytes(head) + bytes(256) + bytes(planes * 32 * size)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte short": lambda data: data[:-1],
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:1024],
    "part of the header": lambda data: data[:500],
    "tail of zeros": lambda data: data[: len(data) * 3 // 4].ljust(len(data), b"\0"),
    "empty": lambda _: b"",
    "grown": lambda data: data + b"x",
}
CANNOT_TELL = {"tail of zeros": "the tail is uncompressed pixels, of which black ones are legal"}


@pytest.mark.samples
def test_the_real_file(samples: Path) -> None:
    path = samples / REAL
    assert FORMAT.recognises(path.read_bytes()[:1024], path.name)
    assert FORMAT.claim(path).lists == ("toxo.dv",)
    found = FORMAT.examine(path.parent, ("toxo.dv",))
    assert (found.sound, found.problems) == (True, ())
    assert found.metadata["size"] == "128x128x17x2x1"
    assert found.metadata["channels"] == "525 nm, 632 nm"


@pytest.mark.samples
@pytest.mark.parametrize("damage", DAMAGES)
def test_the_real_file_damaged(samples: Path, tmp_path: Path, damage: str) -> None:
    found = examined(tmp_path, DAMAGES[damage]((samples / REAL).read_bytes()))
    assert found.sound is (damage in CANNOT_TELL)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("mode", range(8))
def test_every_kind_of_pixel_in_both_orders(tmp_path: Path, order: str, mode: int) -> None:
    data = synthetic_dv(order, mode=mode)
    assert FORMAT.recognises(data[:1024], "a.r3d")
    found = examined(tmp_path, data)
    assert (found.sound, found.problems) == (True, ())
    assert found.metadata == {
        "size": "8x4x2x3x1",
        "channels": "457 nm, 528 nm, 617 nm",
        "pixel_size_um": "0.1x0.1x0.25",
        "objective": "lens 10612",
    }
    for damage in DAMAGES.keys() - CANNOT_TELL:
        assert examined(tmp_path, DAMAGES[damage](data)).sound is False


def test_a_growing_file_says_how_far_it_is(tmp_path: Path) -> None:
    data = synthetic_dv()
    assert examined(tmp_path, data[:-64]).problems == ("a.dv: unfinished: it holds 5 of its 6 planes",)
    assert examined(tmp_path, data[:1024]).sound is False
    assert examined(tmp_path, data[:-65]).problems == (
        f"a.dv: cut off: plane 5 of 6 is not whole; it should end at byte {len(data)}, not {len(data) - 65}",
    )


@pytest.mark.parametrize("name", ["a", "cell 1 [2] #3", "100%", "Zelle µ"])
def test_an_image_its_logs_and_its_deconvolved_copy(tmp_path: Path, name: str) -> None:
    for file in (f"{name}.dv", f"{name}_D3D.dv"):
        (tmp_path / file).write_bytes(synthetic_dv())
    for log in (f"{name}.dv.log", f"{name}_D3D.dv.log", f"{name}_D3D_log.txt"):
        (tmp_path / log).write_text("Created Monday\n")
    raw = (f"{name}.dv", f"{name}.dv.log")
    deconvolved = (f"{name}_D3D.dv", f"{name}_D3D.dv.log", f"{name}_D3D_log.txt")
    for names in (raw, deconvolved):
        assert FORMAT.claim(tmp_path / names[0]).lists == names
        assert FORMAT.claim(tmp_path / names[1]).lists == names
        assert FORMAT.examine(tmp_path, names[:2]).sound
    assert FORMAT.recognises(b"Created Monday\n", f"{name}.dv.log")


def test_a_log_alone_is_not_called_sound(tmp_path: Path) -> None:
    (tmp_path / "a.dv.log").write_text("text")
    assert FORMAT.claim(tmp_path / "a.dv.log").lists == ("a.dv.log",)
    assert FORMAT.examine(tmp_path, ("a.dv.log",)).sound is None


def test_other_files_are_not_claimed() -> None:
    good = bytearray(synthetic_dv()[:1024])
    assert not FORMAT.recognises(bytes(96), "a.dv")
    assert not FORMAT.recognises(b"\0" * 1024, "a.dv")
    assert not FORMAT.recognises(b"text", "a.log")
    struct.pack_into("<i", good, 0, -5)
    assert not FORMAT.recognises(bytes(good), "a.dv")


@pytest.mark.timeout(60)
def test_absurd_sizes_are_only_a_sentence(tmp_path: Path) -> None:
    data = bytearray(synthetic_dv())
    struct.pack_into("<3i", data, 0, (1 << 31) - 1, (1 << 31) - 1, (1 << 31) - 1)
    found = examined(tmp_path, bytes(data))
    assert found.sound is False
    assert len(found.problems) == 1


@settings(max_examples=60, deadline=None, derandomize=True)
@given(noise=st.binary(max_size=1200), at=st.integers(0, 1023))
def test_no_content_makes_it_crash(tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    good = synthetic_dv()
    FORMAT.recognises(noise[:1024], "a.dv")
    for data in (noise, good[:at] + noise[:4] + good[at + len(noise[:4]) :]):
        (folder / "a.dv").write_bytes(data)
        assert FORMAT.claim(folder / "a.dv").lists == ("a.dv",)
        assert FORMAT.examine(folder, ("a.dv",)).sound in (True, False)


def examined(folder: Path, data: bytes) -> Examination:
    (folder / "a.dv").write_bytes(data)
    return FORMAT.examine(folder, ("a.dv",))
