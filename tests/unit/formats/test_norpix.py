"""StreamPix sequences: the real one, damage, growing ones, compressed ones, random bytes."""

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.formats.electron_files import DAMAGES, NAMES
from watcher.formats.base import Examination
from watcher.formats.norpix import FORMAT

SAMPLE = "sample_norpix6.seq"


def synthetic_norpix(frames: int = 3, frame: int = 512, version: int = 3, compression: int = 0) -> bytes:
    """Synthetic, after pims' norpix_reader.py: images of 10 x 8 pixels."""
    head = bytearray(8192 if version >= 5 else 1024)
    head[:4] = b"\xed\xfe\0\0"
    head[4:24] = "Norpix seq".encode("utf-16-le")
    struct.pack_into("<2i", head, 28, version, 1024)
    struct.pack_into("<9I", head, 548, 10, 8, 8, 8, 80, 100, frames, 0, frame)
    head[620] = compression
    return bytes(head) + bytes(frames * frame)


GOOD = synthetic_norpix()


def examined(tmp_path: Path, data: bytes, name: str = "run.seq") -> Examination:
    (tmp_path / name).write_bytes(data)
    return FORMAT.examine(tmp_path, (name,))


@pytest.mark.samples
def test_the_real_sequence_is_sound(samples: Path) -> None:
    path = samples / "seq" / SAMPLE
    assert FORMAT.recognises(path.read_bytes()[:1024], SAMPLE)
    assert FORMAT.claim(path).lists == (SAMPLE,)
    found = FORMAT.examine(path.parent, (SAMPLE,))
    assert (found.sound, found.problems, found.checked) == (True, (), "norpix:size-equation")
    assert found.metadata == {"size": "36x32x1x1x6"}


@pytest.mark.samples
@pytest.mark.parametrize("damage", DAMAGES)
def test_the_damaged_sequence_is_not_sound(samples: Path, tmp_path: Path, damage: str) -> None:
    found = examined(tmp_path, DAMAGES[damage]((samples / "seq" / SAMPLE).read_bytes()), SAMPLE)
    if damage == "tail of zeros":
        assert found.sound, "its tail is pixels, which may be black; if it is detectable now, say so here"
    else:
        assert found.sound is False
        assert found.problems[0].startswith(f"{SAMPLE}: ")


@pytest.mark.parametrize("version", [3, 4, 5])
def test_both_lengths_of_the_header_are_known(tmp_path: Path, version: int) -> None:
    data = synthetic_norpix(version=version)
    assert examined(tmp_path, data).sound
    assert examined(tmp_path, data[:-1]).problems[0].startswith("run.seq: cut off: the last of 3 frames (2 are whole)")


def test_a_sequence_that_is_still_recorded_is_unfinished(tmp_path: Path) -> None:
    assert "unfinished" in examined(tmp_path, synthetic_norpix(frames=0) + bytes(5000)).problems[0]
    assert "unfinished" in examined(tmp_path, GOOD + bytes(512)).problems[0]


def test_a_few_bytes_behind_the_end_are_only_remarked(tmp_path: Path) -> None:
    found = examined(tmp_path, GOOD + bytes(100))
    assert (found.sound, found.remarks) == (True, ("run.seq: 100 bytes follow the last frame",))


def test_a_compressed_sequence_is_unchecked(tmp_path: Path) -> None:
    found = examined(tmp_path, synthetic_norpix(compression=1)[:-300])
    assert found.sound is None
    assert found.checked == "unchecked: run.seq: its frames are compressed, and differ in size"


def test_its_index_travels_with_it(tmp_path: Path) -> None:
    (tmp_path / "run.seq").write_bytes(GOOD)
    (tmp_path / "run.seq.idx").write_bytes(b"index")
    assert FORMAT.claim(tmp_path / "run.seq").lists == ("run.seq", "run.seq.idx")


@pytest.mark.parametrize("stem", NAMES)
def test_names_do_not_matter(tmp_path: Path, stem: str) -> None:
    name = f"{stem}.seq"
    assert examined(tmp_path, GOOD, name).sound
    assert (FORMAT.claim(tmp_path / name).lists, FORMAT.claim(tmp_path / name).title) == ((name,), stem)


def test_absurd_numbers_are_a_finding(tmp_path: Path) -> None:
    for at in (572, 580):
        data = GOOD[:at] + b"\xff" * 4 + GOOD[at + 4 :]
        assert examined(tmp_path, data).problems[0].startswith("run.seq: cut off")
    assert "smaller than its images" in examined(tmp_path, synthetic_norpix(frame=7)).problems[0]


@pytest.mark.parametrize("data", [b"", b"\xed\xfe\0\0" + bytes(100), b"> fasta\nACGT\n"])
def test_what_only_looks_like_it_is_not_claimed(data: bytes) -> None:
    assert not FORMAT.recognises(data, "run.seq")


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=1200),
        st.builds(
            lambda at, raw: GOOD[:at] + raw + GOOD[at + len(raw) :],
            st.integers(0, 640),
            st.binary(min_size=1, max_size=9),
        ),
    )
)
def test_no_bytes_crash_it(tmp_path: Path, data: bytes) -> None:
    FORMAT.recognises(data[:1024], "run.seq")
    assert examined(tmp_path, data).sound in (True, False, None)
    assert FORMAT.claim(tmp_path / "run.seq").lists == ("run.seq",)
