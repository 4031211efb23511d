"""One Zarr array: its metadata make sense, and every chunk that is stored is a whole one inside of the grid.

Facts: "Zarr storage specification version 2" (.zarray, chunk names), "Zarr core specification 3.0" (zarr.json, chunk
key encodings) and its sharding codec (index of offsets and lengths at the end); the header of 16 bytes of a Blosc
chunk (github Blosc/c-blosc, README_CHUNK_FORMAT); names of temporary chunks: zarr-python (`.partial`), tensorstore
(`.__lock`). Chunks that are not there are legal: they stand for the fill value.
"""

import itertools
import math
import os
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from watcher.formats.plane import Plane
from watcher.formats.reading import Unsound, open_file

#: Chunks of which a picture is put together.
MAX_TILES: Final = 400
_MAX_RANK: Final = 16
_MAX_SIDE: Final = 1 << 53
_MAX_SENTENCES: Final = 20
#: The longest index of a shard that is read.
_MAX_INDEX: Final = 4 << 20
_EMPTY: Final = (1 << 64) - 1
_TEMPORARY = re.compile(r"\.(?:partial|part|tmp|temp|lock|__lock)$|^\.?tmp|\.__lock|~$", re.IGNORECASE)
_INDEX = re.compile(r"0|[1-9]\d{0,17}", re.ASCII)
_TYPES = {"bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "float16": 2, "int32": 4, "uint32": 4}
# Codecs by which one chunk is packed alone, of both versions
_CODECS = {name: name for name in ("zlib", "gzip", "zstd", "blosc", "lz4")}
_TYPES |= {"float32": 4, "int64": 8, "uint64": 8, "float64": 8, "complex64": 8, "complex128": 16}


@dataclass(frozen=True, slots=True)
class Array:
    """What the metadata say. chunk: sides of one stored file (a shard, if there are any); raw: bytes of one, 0 if it is
    compressed; inner: chunks in one shard, 0 if there are no shards; checksum: whether the index of a shard has one.
    kind: numpy's name of a pixel's type, and packed: the codec of the chunks, "" for none; "" and None if they are in
    some other way.
    """

    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    separator: str
    prefix: str
    raw: int = 0
    blosc: bool = False
    inner: int = 0
    checksum: bool = True
    kind: str = ""
    packed: str | None = None

    @property
    def grid(self) -> tuple[int, ...]:
        """How many chunks there may be along each axis."""
        return tuple(-(-side // step) for side, step in zip(self.shape, self.chunk, strict=True))


@dataclass(slots=True)
class Budget:
    """How much of a whole tree may still be looked at: files listed, files opened, bytes of shard indexes."""

    entries: int = 400_000
    opened: int = 20_000
    index_bytes: int = 32 << 20


@dataclass(slots=True)
class Chunks:
    """What is stored of one array. problems have no name; more: that the budget ended first."""

    stored: int = 0
    more: bool = False
    problems: list[str] = field(default_factory=list)

    def say(self, problem: str) -> None:
        """Keep a problem, up to a number that somebody reads."""
        if len(self.problems) < _MAX_SENTENCES:
            self.problems.append(problem)


def version_2(given: Mapping[str, Any]) -> Array:
    """The array of a .zarray. Raises Unsound if it makes no sense."""
    shape, chunk = _sides(given.get("shape"), "size", least=0), _sides(given.get("chunks"), "chunk size", least=1)
    _same_rank(shape, chunk)
    compressor = given.get("compressor")
    dtype = given.get("dtype")
    plain = isinstance(dtype, str) and re.fullmatch(r"[<>|][biufc](\d{1,2})", dtype, re.ASCII)
    unpacked = compressor is None and not given.get("filters")
    separator = given.get("dimension_separator", ".")
    if separator not in (".", "/"):
        raise Unsound("damaged: it does not say how its chunks are named")
    return Array(
        shape,
        chunk,
        separator,
        "",
        raw=math.prod(chunk) * int(plain[1]) if plain and unpacked else 0,
        blosc=isinstance(compressor, dict) and compressor.get("id") == "blosc",
        kind=dtype
        if plain and isinstance(dtype, str) and not given.get("filters") and given.get("order") == "C"
        else "",
        packed=""
        if compressor is None
        else _CODECS.get(str(compressor.get("id")))
        if isinstance(compressor, dict)
        else None,
    )


def version_3(given: Mapping[str, Any]) -> Array:
    """The array of a zarr.json. Raises Unsound if it makes no sense."""
    shape = _sides(given.get("shape"), "size", least=0)
    chunk = _sides(_configuration(given.get("chunk_grid")).get("chunk_shape"), "chunk size", least=1)
    _same_rank(shape, chunk)
    encoding = given.get("chunk_key_encoding")
    default = not (isinstance(encoding, dict) and encoding.get("name") == "v2")
    separator = _configuration(encoding).get("separator", "/" if default else ".")
    codecs = given.get("codecs")
    if separator not in (".", "/") or not isinstance(codecs, list) or not codecs:
        raise Unsound("damaged: it does not say how its chunks are named or packed")
    names = [codec.get("name") if isinstance(codec, dict) else codec for codec in codecs]
    size = _TYPES.get(str(given.get("data_type")), 0)
    array = Array(
        shape,
        chunk,
        separator,
        "c" if default else "",
        raw=math.prod(chunk) * size if all(name in ("bytes", "transpose") for name in names) else 0,
        blosc=names[-1] == "blosc",
        kind=_kind(given.get("data_type"), codecs[0]),
        packed="" if len(names) == 1 else _CODECS.get(str(names[1])) if len(names) == 2 else None,
    )
    return _sharded(array, _configuration(codecs[0])) if names == ["sharding_indexed"] else array


def look(folder: Path, array: Array, budget: Budget) -> Chunks:
    """List the chunks of an array and check each that is there. OSError passes through."""
    found = Chunks()
    for key, entry in _listed(folder, array, budget, found):
        found.stored += 1
        if any(at >= most for at, most in zip(key, array.grid, strict=True)):
            grid = "x".join(map(str, array.grid))
            found.say(f"damaged: chunk {_label(key)} lies outside of the image, which has {grid} chunks")
        elif problem := _chunk(Path(entry.path), entry.stat().st_size, array, budget, found):
            found.say(f"{problem[0]}: chunk {_label(key)} {problem[1]}")
    return found


def planes(folder: Path, array: Array) -> tuple[Plane, ...]:
    """The chunks that are there of the plane in the middle of all axes but the last two; none in shards."""
    if len(array.shape) < 2 or not array.kind or array.packed is None or array.inner or not all(array.shape):
        return ()
    middle = [side // 2 for side in array.shape[:-2]]
    above = [at // step for at, step in zip(middle, array.chunk, strict=False)]
    within = 0
    for at, step in zip(middle, array.chunk, strict=False):
        within = within * step + at % step
    (tall, wide), size = array.chunk[-2:], int(array.kind[2:])
    rows, columns = array.grid[-2:]
    if rows * columns > MAX_TILES:
        return ()
    found = []
    for row, column in itertools.product(range(rows), range(columns)):
        name = array.separator.join(filter(None, (array.prefix, *map(str, (*above, row, column)))))
        path = folder / name
        try:
            length = path.stat().st_size
        except FileNotFoundError:
            continue  # it stands for the fill value
        height, width = (
            min(wide_, side - at * wide_)
            for wide_, side, at in zip((tall, wide), array.shape[-2:], (row, column), strict=True)
        )
        found.append(
            Plane(path, 0, width, height, array.kind, row=wide * size, packed=array.packed, length=length,
                  skip=within * tall * wide * size, x=column * wide, y=row * tall)
        )  # fmt: skip
    return tuple(found)


def _listed(
    folder: Path, array: Array, budget: Budget, found: Chunks
) -> Iterator[tuple[tuple[int, ...], "os.DirEntry[str]"]]:
    """The chunks that are there, by their place in the grid."""
    rank = len(array.shape)
    nested = array.separator == "/"
    waiting: list[tuple[Path, tuple[int, ...]]] = [(folder / "c" if nested and array.prefix and rank else folder, ())]
    while waiting:
        place, above = waiting.pop()
        try:
            entries = os.scandir(place)
        except (FileNotFoundError, NotADirectoryError):
            continue  # an array without a chunk
        with entries:
            for entry in entries:
                budget.entries -= 1
                if budget.entries < 0:
                    found.more = True
                    return
                if _TEMPORARY.search(entry.name):
                    found.say(f"unfinished: {entry.name[:200]} is a chunk that is still being written")
                    continue
                key = _key(entry.name, array, above)
                if key is None:
                    continue
                if len(key) < rank:
                    if nested and entry.is_dir(follow_symlinks=False):
                        waiting.append((Path(entry.path), key))
                elif len(key) == rank and entry.is_file(follow_symlinks=False):
                    yield key, entry


def _key(name: str, array: Array, above: tuple[int, ...]) -> tuple[int, ...] | None:
    """The place in the grid that a name stands for, with the ones of the folders above; None if it is no chunk's."""
    if not array.shape:
        return () if name == (array.prefix or "0") else None
    if array.separator == "/":
        return (*above, int(name)) if _INDEX.fullmatch(name) else None
    parts = name.split(".", _MAX_RANK + 1)
    if array.prefix and parts.pop(0) != array.prefix:
        return None
    if len(parts) != len(array.shape) or not all(map(_INDEX.fullmatch, parts)):
        return None
    return tuple(map(int, parts))


def _chunk(path: Path, size: int, array: Array, budget: Budget, found: Chunks) -> tuple[str, str] | None:
    """What is wrong with one stored file: the kind, and the rest of the sentence."""
    if size == 0:
        return "unfinished", "is empty"
    if array.raw and size != array.raw:
        return "cut off" if size < array.raw else "damaged", f"should have {array.raw} bytes, the file has {size}"
    if not array.blosc and not array.inner:
        return None
    budget.opened -= 1
    if budget.opened < 0:
        found.more = True
        return None
    return _shard(path, size, array, budget, found) if array.inner else _blosc(path, size)


def _blosc(path: Path, size: int) -> tuple[str, str] | None:
    with open_file(path) as file:
        head = file.read(16)
    if len(head) < 16:
        return "cut off", f"has only {size} bytes"
    packed = struct.unpack_from("<I", head, 12)[0]
    if packed == size:
        return None
    return "cut off" if size < packed else "damaged", f"should have {packed} bytes, the file has {size}"


def _shard(path: Path, size: int, array: Array, budget: Budget, found: Chunks) -> tuple[str, str] | None:
    """Every chunk that the index of a shard lists lies before the index."""
    length = 16 * array.inner + (4 if array.checksum else 0)
    if size < length:
        return "cut off", f"is a shard whose index alone has {length} bytes, the file has {size}"
    budget.index_bytes -= length
    if length > _MAX_INDEX or budget.index_bytes < 0:
        found.more = True
        return None
    with open_file(path) as file:
        file.seek(size - length)
        index = file.read(16 * array.inner)
    if len(index) < 16 * array.inner:
        return "cut off", "became shorter while it was read"
    for start, count in struct.iter_unpack("<QQ", index):
        if start == count == _EMPTY:
            continue
        if count == 0 or start + count > size - length:
            return "damaged", "is a shard whose index does not fit to it (cut off, or its end was never written)"
    return None


def _sharded(array: Array, given: Mapping[str, Any]) -> Array:
    inner = _sides(given.get("chunk_shape"), "inner chunk size", least=1)
    _same_rank(array.shape, inner)
    if any(outer % side for outer, side in zip(array.chunk, inner, strict=True)):
        raise Unsound("damaged: its shards are no whole number of chunks")
    index = given.get("index_codecs", [{"name": "bytes"}, {"name": "crc32c"}])
    names = [codec.get("name") if isinstance(codec, dict) else codec for codec in index] if index else []
    known = given.get("index_location", "end") == "end" and names in (["bytes"], ["bytes", "crc32c"])
    count = math.prod(outer // side for outer, side in zip(array.chunk, inner, strict=True))
    return Array(
        array.shape,
        array.chunk,
        array.separator,
        array.prefix,
        inner=count if known else 0,
        checksum=len(names) > 1,
    )


def _kind(given: object, codec: object) -> str:
    """numpy's name of a data type whose bytes follow each other in the order of the axes; "" for any other."""
    found = re.fullmatch(r"(uint|int|float|bool)(8|16|32|64)?", str(given), re.ASCII)
    if found is None or not isinstance(codec, dict) or codec.get("name") != "bytes":
        return ""
    order = ">" if _configuration(codec).get("endian") == "big" else "<"
    return order + {"uint": "u", "int": "i", "float": "f", "bool": "b"}[found[1]] + str(int(found[2] or 8) // 8)


def _configuration(given: object) -> Mapping[str, Any]:
    found = given.get("configuration") if isinstance(given, dict) else None
    return found if isinstance(found, dict) else {}


def _sides(given: object, what: str, least: int) -> tuple[int, ...]:
    if not isinstance(given, list) or len(given) > _MAX_RANK:
        raise Unsound(f"damaged: it does not state its {what}")
    if not all(type(side) is int and least <= side < _MAX_SIDE for side in given):
        raise Unsound(f"damaged: its {what} makes no sense")
    return tuple(given)


def _same_rank(shape: tuple[int, ...], chunk: tuple[int, ...]) -> None:
    if len(shape) != len(chunk):
        raise Unsound(f"damaged: it has {len(shape)} axes, its chunks {len(chunk)}")


def _label(key: tuple[int, ...]) -> str:
    return ".".join(map(str, key)) or "0"
