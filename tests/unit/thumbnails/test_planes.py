"""What each format says of where its pixels are: files of known pixels, and the plane in the middle of them."""

import gzip
import io
import json
import struct
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.unit.formats.electron_files import dm_data, dm_file, synthetic_mrc, synthetic_ser
from tests.unit.formats.test_czi import XML as CZI_XML
from tests.unit.formats.test_czi import segment
from tests.unit.formats.test_deltavision import synthetic_dv
from tests.unit.formats.test_dicom import encapsulated, image, short, slide, synthetic_dicom, text
from tests.unit.formats.test_leica_lof import synthetic_lof
from tests.unit.formats.test_leica_lof import text_block as leica_text
from tests.unit.formats.test_lif import memory_block
from tests.unit.formats.test_nd2 import lv, synthetic_nd2
from tests.unit.formats.test_norpix import synthetic_norpix
from watcher import formats
from watcher.thumbnails.pixels import of_file
from watcher.thumbnails.raw import Unknown
from watcher.thumbnails.shown import Pixels

Shape = tuple[int, ...]


def counted(*shape: int, kind: str = "<u2") -> NDArray[np.generic]:
    """Pixels no two of which are the same."""
    return np.arange(np.prod(shape)).reshape(shape).astype(kind)


def shown(path: Path, data: bytes) -> Pixels | None:
    """What is seen of a file with this content, by the format that knows it."""
    path.write_bytes(data)
    claim = formats.look(path)
    assert claim is not None
    return of_file(path, claim.format)


def same(found: Pixels | None, wanted: NDArray[np.generic]) -> bool:
    return found is not None and found.shape == wanted.shape and bool(np.array_equal(found, wanted))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("mode", "kind"), [(0, "i1"), (1, "i2"), (2, "f4"), (6, "u2"), (12, "f2")])
def test_mrc_shows_the_section_in_the_middle(tmp_path: Path, mode: int, kind: str, order: str) -> None:
    data = synthetic_mrc(10, 7, 3, mode, order=order, extended=b"x" * 60)
    pixels = (counted(3, 7, 10, kind="i4") % 100).astype(order + kind)
    assert same(shown(tmp_path / "a.mrc", data[: 1024 + 60] + pixels.tobytes()), pixels[1])


def test_bytes_of_imod_have_no_sign_unless_it_says_so(tmp_path: Path) -> None:
    data = bytearray(synthetic_mrc(10, 7, 1, 0))
    pixels = np.arange(70, dtype="u1").reshape(7, 10) + 100
    struct.pack_into("<2i", data, 152, 1146047817, 0)
    assert same(shown(tmp_path / "a.mrc", bytes(data[:1024]) + pixels.tobytes()), pixels)
    struct.pack_into("<2i", data, 152, 1146047817, 1)
    assert same(shown(tmp_path / "b.mrc", bytes(data[:1024]) + pixels.tobytes()), pixels.view("i1"))


def test_colours_of_mrc_are_colours_and_half_bytes_are_left_out(tmp_path: Path) -> None:
    pixels = counted(7, 10, 3, kind="u1")
    data = synthetic_mrc(10, 7, 1, 16)
    assert same(shown(tmp_path / "a.mrc", data[:1024] + pixels.tobytes()), pixels)
    assert shown(tmp_path / "b.mrc", synthetic_mrc(10, 7, 1, 101)) is None


@pytest.mark.parametrize(("sequence", "middle"), [(0, 1 + 3 * 1), (1, 1 + 2 * 1), (2, 1 + 3 * 1)])
def test_deltavision_shows_the_middle_of_the_depth_whatever_the_order(
    tmp_path: Path, sequence: int, middle: int
) -> None:
    data = bytearray(synthetic_dv(planes=6, waves=2))
    struct.pack_into("<h", data, 182, sequence)
    pixels = counted(6, 4, 8)
    assert same(shown(tmp_path / "a.dv", bytes(data[: 1024 + 256]) + pixels.tobytes()), pixels[middle])


@pytest.mark.parametrize("version", [3, 5])
def test_norpix_shows_the_frame_in_the_middle(tmp_path: Path, version: int) -> None:
    data = synthetic_norpix(frames=3, frame=512, version=version)
    start = len(data) - 3 * 512
    pixels = counted(3, 8, 10, kind="u1")
    frames = b"".join(plane.tobytes().ljust(512, b"\0") for plane in pixels)
    assert same(shown(tmp_path / "a.seq", data[:start] + frames), pixels[1])
    assert shown(tmp_path / "b.seq", synthetic_norpix(compression=1)) is None


def test_a_tia_series_shows_the_element_in_the_middle_and_no_spectra(tmp_path: Path) -> None:
    data = synthetic_ser(3)
    step = 40 + 10 + 24 + 8
    pixels = counted(3, 3, 4)
    first = len(data) - 3 * step
    elements = bytearray(data)
    for number, plane in enumerate(pixels):
        at = first + number * step + 50
        elements[at : at + 24] = plane.tobytes()
    assert same(shown(tmp_path / "a_1.ser", bytes(elements)), pixels[1])
    assert shown(tmp_path / "b_1.ser", synthetic_ser(3, axes=1)) is None


@pytest.mark.parametrize("version", [3, 4])
def test_digital_micrograph_shows_the_last_image_and_not_the_preview(tmp_path: Path, version: int) -> None:
    pixels = counted(5, 4, 6, kind="<f4")

    def number(value: int) -> bytes:
        return dm_data((5,), struct.pack("<I", value), version)

    sizes = {"#0": number(6), "#1": number(4), "#2": number(5)}
    data = dm_data((20, 6, pixels.size), pixels.tobytes(), version)
    preview = {"#0": number(3), "#1": number(2)}
    tree = {
        "ImageList": {
            "#0": {"ImageData": {"Data": dm_data((20, 8, 6), b"\1\2\3\4\5\6", version), "Dimensions": preview}},
            "#1": {"ImageData": {"Data": data, "Dimensions": sizes}},
        }
    }
    assert same(shown(tmp_path / f"a.dm{version}", dm_file(tree, version)), pixels[2])  # type: ignore[arg-type]


def test_dicom_shows_the_frame_in_the_middle_with_its_sign(tmp_path: Path) -> None:
    pixels = counted(3, 4, 6, kind="<i2") - 30
    data = image(short(0x28, 0x103, 1), frames=3)
    assert same(shown(tmp_path / "a.dcm", data[: -3 * 48] + pixels.tobytes()), pixels[1])


def test_a_packed_frame_of_dicom_is_an_image_by_itself(tmp_path: Path) -> None:
    jpeg = io.BytesIO()
    Image.fromarray(counted(16, 16, kind="u1")).save(jpeg, "JPEG", quality=100)
    data = encapsulated(1, 1)
    old = struct.pack("<HHI4s", 0xFFFE, 0xE000, 4, b"\xff" * 4)
    fragment = jpeg.getvalue() + b"\0" * (len(jpeg.getvalue()) % 2)
    new = struct.pack("<HHI", 0xFFFE, 0xE000, len(fragment)) + fragment
    found = shown(tmp_path / "a.dcm", data.replace(old, new))
    assert found is not None
    assert np.abs(found.astype(int) - counted(16, 16, kind="u1")).max() < 20


def test_a_tile_of_a_slide_is_no_picture_of_it(tmp_path: Path) -> None:
    assert shown(tmp_path / "a.dcm", slide(4)) is None


def test_colours_of_dicom_that_lie_in_planes_are_shown_by_the_first(tmp_path: Path) -> None:
    pixels = counted(3, 4, 6, kind="u1")
    more = (short(0x28, 6, 1), text(0x28, 4, b"CS", "RGB"))
    own = [short(0x28, 2, 3), short(0x28, 0x10, 4), short(0x28, 0x11, 6), short(0x28, 0x100, 8)]
    data = synthetic_dicom(text(0x20, 0x0E, b"UI", "1.2.3"), *own, *more, (0x7FE0, 0x10, b"OW", pixels.tobytes()))
    assert same(shown(tmp_path / "a.dcm", data), pixels[0])


def leica(axes: list[tuple[int, int, int]], channels: list[tuple[int, int]], size: int) -> str:
    dimensions = "".join(
        f'<DimensionDescription DimID="{axis}" NumberOfElements="{count}" BytesInc="{step}"/>'
        for axis, count, step in axes
    )
    described = "".join(
        f'<ChannelDescription BytesInc="{offset}" Resolution="{bits}" LUTName="Green"/>' for offset, bits in channels
    )
    return (
        f'<LMSDataContainerHeader Version="2"><Element Name="S"><Data><Image><ImageDescription><Channels>{described}'
        f"</Channels><Dimensions>{dimensions}</Dimensions></ImageDescription></Image></Data>"
        f'<Memory Size="{size}" MemoryBlockID="MemBlock_1"/></Element></LMSDataContainerHeader>'
    )


def test_leica_shows_the_middle_of_depth_and_channels(tmp_path: Path) -> None:
    pixels = counted(5, 3, 4, 6)  # depth, channel, row, column
    axes = [(1, 6, 2), (2, 4, 12), (3, 5, 3 * 48)]
    xml = leica(axes, [(0, 16), (48, 16), (96, 16)], pixels.nbytes)
    block = memory_block("MemBlock_1", pixels.nbytes)[: -pixels.nbytes] + pixels.tobytes()
    data = leica_text(xml) + memory_block("MemBlock_0", 0) + block
    assert same(shown(tmp_path / "a.lif", data), pixels[2, 1])
    lof = synthetic_lof(length=pixels.nbytes, xml=xml)
    assert same(shown(tmp_path / "a.lof", lof.replace(b"\1" * pixels.nbytes, pixels.tobytes())), pixels[2, 1])


def test_colours_of_leica_that_lie_together_begin_with_blue(tmp_path: Path) -> None:
    pixels = counted(4, 6, 3, kind="u1")
    xml = leica([(1, 6, 3), (2, 4, 18)], [(0, 8), (1, 8), (2, 8)], pixels.nbytes)
    lof = synthetic_lof(length=pixels.nbytes, xml=xml).replace(b"\1" * pixels.nbytes, pixels.tobytes())
    assert same(shown(tmp_path / "a.lof", lof), pixels[..., ::-1])


def test_a_leica_image_of_which_less_is_there_than_it_says_is_left_out(tmp_path: Path) -> None:
    xml = leica([(1, 600, 1), (2, 400, 600)], [(0, 8)], 30)
    assert shown(tmp_path / "a.lof", synthetic_lof(length=30, xml=xml)) is None


@pytest.mark.parametrize("compression", [0, 2])
def test_nd2_shows_the_image_in_the_middle(tmp_path: Path, compression: int) -> None:
    pixels = counted(3, 4, 8)
    attributes = {
        "uiWidth": 8, "uiHeight": 4, "uiSequenceCount": 3, "uiBpcInMemory": 16, "uiComp": 1, "uiWidthBytes": 16,
        "eCompression": compression,
    }  # fmt: skip
    trees = {b"ImageAttributesLV!": lv("SLxImageAttributes", attributes)}
    for number, plane in enumerate(pixels):
        packed = zlib.compress(plane.tobytes()) if compression == 0 else plane.tobytes()
        trees[b"ImageDataSeq|%d!" % number] = bytes(8) + packed
    assert same(shown(tmp_path / "a.nd2", synthetic_nd2((), trees)), pixels[1])


def czi(tiles: list[tuple[dict[bytes, tuple[int, int, int]], bytes, int, int]], thumbnail: bytes = b"") -> bytes:
    """Images of (axes: start, size and stored size), content, type of pixels and compression, as in CziStructs.h."""
    out, listed = bytearray(544), []
    for axes, content, pixel, compression in tiles:
        entry = struct.pack("<2siqiiB5xi", b"DV", pixel, len(out), 0, compression, 0, len(axes))
        entry += b"".join(
            struct.pack("<4siifi", name, first, size, 0.0, of) for name, (first, size, of) in axes.items()
        )
        listed.append(entry)
        head = struct.pack("<iiq", 4, 0, len(content)) + entry
        out += segment(b"ZISRAWSUBBLOCK", head.ljust(256, b"\0") + b"<M/>" + content)
    metadata = len(out)
    out += segment(b"ZISRAWMETADATA", struct.pack("<ii", len(CZI_XML), 0).ljust(256, b"\0") + CZI_XML)
    attachments = 0
    if thumbnail:
        where = len(out)
        out += segment(b"ZISRAWATTACH", struct.pack("<i", len(thumbnail)).ljust(256, b"\0") + thumbnail)
        attachments = len(out)
        one = struct.pack("<2s10xqi16x8s80s", b"A1", where, 0, b"JPG", b"Thumbnail").ljust(128, b"\0")
        out += segment(b"ZISRAWATTDIR", struct.pack("<i", 1).ljust(256, b"\0") + one)
    directory = len(out)
    out += segment(b"ZISRAWDIRECTORY", struct.pack("<i", len(listed)).ljust(128, b"\0") + b"".join(listed))
    header = struct.pack("<ii8x16s16siqqiq", 1, 0, b"d" * 16, b"f" * 16, 0, directory, metadata, 0, attachments)
    out[:544] = struct.pack("<16sqq", b"ZISRAWFILE", 512, 512) + header.ljust(512, b"\0")
    return bytes(out)


def test_czi_shows_the_middle_of_depth_and_channels_put_together_from_tiles(tmp_path: Path) -> None:
    pixels = counted(3, 2, 4, 12)
    tiles = [
        (
            {b"X": (100 + x, 6, 6), b"Y": (50, 4, 4), b"C": (channel, 1, 1), b"Z": (z, 1, 1), b"M": (x, 1, 1)},
            pixels[z, channel, :, x : x + 6].tobytes(), 1, 0,
        )
        for z in range(3) for channel in range(2) for x in (0, 6)
    ]  # fmt: skip
    assert same(shown(tmp_path / "a.czi", czi(tiles)), pixels[1, 1])


def test_of_a_pyramid_in_czi_the_smallest_level_that_is_large_enough_is_shown(tmp_path: Path) -> None:
    large, small, tiny = (np.full((side, side), side % 251, "u1") for side in (600, 300, 150))
    tiles = [
        ({b"X": (0, 600, side.shape[1]), b"Y": (0, 600, side.shape[0])}, side.tobytes(), 0, 0)
        for side in (large, small, tiny)
    ]
    assert same(shown(tmp_path / "a.czi", czi(tiles)), small)


def test_colours_of_czi_begin_with_blue_and_its_thumbnail_comes_first(tmp_path: Path) -> None:
    pixels = counted(4, 6, 3, kind="u1")
    tiles = [({b"X": (0, 6, 6), b"Y": (0, 4, 4)}, pixels.tobytes(), 3, 0)]
    assert same(shown(tmp_path / "a.czi", czi(tiles)), pixels[..., ::-1])
    jpeg = io.BytesIO()
    Image.new("RGB", (20, 10), "red").save(jpeg, "JPEG")
    found = shown(tmp_path / "b.czi", czi(tiles, jpeg.getvalue()))
    assert found is not None
    assert found.shape == (10, 20, 3)
    assert found[5, 5, 0] > 240


def test_a_way_of_packing_that_is_not_installed_is_told_as_such(tmp_path: Path) -> None:
    tiles = [({b"X": (0, 6, 6), b"Y": (0, 4, 4)}, b"anything", 1, 77)]
    assert shown(tmp_path / "a.czi", czi(tiles)) is None
    tiles = [({b"X": (0, 6, 6), b"Y": (0, 4, 4)}, b"anything", 1, 5)]
    with pytest.raises(Unknown, match="zstd"):
        shown(tmp_path / "b.czi", czi(tiles))


def zarr(folder: Path, pixels: NDArray[np.generic], chunk: Shape, *, version: int, packed: str) -> None:
    """One array with its chunks, those of zeros left out."""
    folder.mkdir(parents=True)
    if version == 2:
        about = {
            "zarr_format": 2, "shape": pixels.shape, "chunks": chunk, "dtype": pixels.dtype.str, "order": "C",
            "compressor": {"id": packed, "level": 1} if packed else None, "filters": None, "fill_value": 0,
        }  # fmt: skip
        (folder / ".zarray").write_text(json.dumps(about))
    else:
        codecs = [{"name": "bytes", "configuration": {"endian": "little"}}]
        codecs += [{"name": packed, "configuration": {"level": "1"}}] if packed else []
        grid = {"name": "regular", "configuration": {"chunk_shape": chunk}}
        about = {
            "zarr_format": 3, "node_type": "array", "shape": pixels.shape, "data_type": pixels.dtype.name,
            "chunk_grid": grid, "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "codecs": codecs, "fill_value": 0,
        }  # fmt: skip
        (folder / "zarr.json").write_text(json.dumps(about))
    grid_shape = [-(-side // step) for side, step in zip(pixels.shape, chunk, strict=True)]
    for place in np.ndindex(*grid_shape):
        part = np.zeros(chunk, pixels.dtype)
        cut = pixels[tuple(slice(at * step, (at + 1) * step) for at, step in zip(place, chunk, strict=True))]
        part[tuple(slice(0, side) for side in cut.shape)] = cut
        if part.any():
            name = ("c/" if version == 3 else "") + ("/" if version == 3 else ".").join(map(str, place))
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            data = part.tobytes()
            file.write_bytes({"": data, "zlib": zlib.compress(data), "gzip": gzip.compress(data)}[packed])


@pytest.mark.parametrize(("version", "packed"), [(2, ""), (2, "zlib"), (2, "gzip"), (3, ""), (3, "gzip")])
def test_zarr_shows_the_level_that_is_large_enough_in_the_middle_of_its_depth(
    tmp_path: Path, version: int, packed: str
) -> None:
    top = tmp_path / "a.zarr"
    levels = {
        "0": np.ones((5, 600, 520), "<u2"),
        "1": counted(5, 300, 260, kind="<u2"),
        "2": np.ones((5, 150, 130), "<u2"),
    }
    for name, pixels in levels.items():
        zarr(top / name, pixels, (2, 128, 128), version=version, packed=packed)
    scales = {"multiscales": [{"axes": ["z", "y", "x"], "datasets": [{"path": name} for name in levels]}]}
    if version == 2:
        (top / ".zgroup").write_text('{"zarr_format": 2}')
        (top / ".zattrs").write_text(json.dumps(scales))
    else:
        group = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": scales}}
        (top / "zarr.json").write_text(json.dumps(group))
    marker = top / (".zattrs" if version == 2 else "zarr.json")
    assert same(of_file(marker, "ome-zarr"), levels["1"][2])
    inner = top / "1" / (".zarray" if version == 2 else "zarr.json")
    assert of_file(inner, "ome-zarr") is None, "only the top speaks for the set"


def test_a_plate_in_zarr_is_shown_by_a_well_in_its_middle(tmp_path: Path) -> None:
    top = tmp_path / "plate.zarr"
    wells = ["A/1", "A/2", "B/1"]
    for number, well in enumerate(wells):
        field = top / well / "0"
        zarr(field / "0", np.full((2, 30, 20), number + 7, "u1"), (1, 30, 20), version=2, packed="")
        (field / ".zgroup").write_text('{"zarr_format": 2}')
        (field / ".zattrs").write_text(json.dumps({"multiscales": [{"datasets": [{"path": "0"}]}]}))
        (top / well / ".zgroup").write_text('{"zarr_format": 2}')
        (top / well / ".zattrs").write_text(json.dumps({"well": {"images": [{"path": "0"}]}}))
    (top / ".zgroup").write_text('{"zarr_format": 2}')
    (top / ".zattrs").write_text(json.dumps({"plate": {"wells": [{"path": well} for well in wells]}}))
    assert same(of_file(top / ".zattrs", "ome-zarr"), np.full((30, 20), 8, "u1"))


@pytest.mark.parametrize("packed", [None, "gzip"])
@pytest.mark.parametrize("chunks", [None, (2, 100, 90)])
def test_hdf5_shows_a_plane_of_the_dataset_that_is_large_enough(
    tmp_path: Path, chunks: Shape | None, packed: str | None
) -> None:
    pixels = counted(5, 300, 260, kind="<u2")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["much/larger"] = np.zeros((5, 700, 700), "u1")
        file["times"] = np.arange(5.0)
        chosen = chunks or (True if packed else None)
        file.create_dataset("some/images", data=pixels, chunks=chosen, compression=packed)
    assert same(of_file(path, "hdf5"), pixels[2])


def test_hdf5_that_is_packed_in_other_ways_is_left_out(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("a", data=counted(300, 300), chunks=(100, 100), compression="lzf")
        file.create_dataset("b", data=counted(300, 300), chunks=(100, 100), compression="gzip", shuffle=True)
    assert of_file(tmp_path / "a.h5", "hdf5") is None


def test_imaris_shows_the_smallest_level_that_is_large_enough(tmp_path: Path) -> None:
    path = tmp_path / "a.ims"
    with h5py.File(path, "w") as file:
        for level, side in enumerate((600, 300, 150)):
            for time in range(12):
                data = np.full((4, side, side), (level + 1) * 20 + time, "u1")
                name = f"DataSet/ResolutionLevel {level}/TimePoint {time}/Channel 0/Data"
                file.create_dataset(name, data=data, chunks=(2, 64, 64), compression="gzip")
        file["Thumbnail/Data"] = np.zeros((256, 1024), "u1")
    assert same(of_file(path, "ims"), np.full((300, 300), 46, "u1"))
