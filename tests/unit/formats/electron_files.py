"""Builds synthetic files of electron microscopes from their published layouts, and damages files."""

import struct
from collections.abc import Callable

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte short": lambda data: data[:-1],
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[: min(1024, len(data) // 4)],
    "tail of zeros": lambda data: data[: len(data) * 3 // 4].ljust(len(data), b"\0"),
    "empty": lambda _: b"",
}
#: Names that scripts trip over.
NAMES = ["plain", "with space", "a [1] (2)", "100% #3", "größe_日本"]


def synthetic_mrc(
    width: int = 10,
    height: int = 7,
    sections: int = 3,
    mode: int = 1,
    *,
    order: str = "<",
    extended: bytes = b"",
    kind: bytes = b"\0" * 4,
    mark: bytes = b"MAP ",
    titles: tuple[bytes, ...] = (),
    cell: tuple[float, float, float] = (20.0, 14.0, 6.0),
) -> bytes:
    """Synthetic, after MRC2014: a header, an extended header and black pixels."""
    head = bytearray(1024)
    struct.pack_into(order + "4i", head, 0, width, height, sections, mode)
    struct.pack_into(order + "3i", head, 28, width, height, sections)
    struct.pack_into(order + "3f", head, 40, *cell)
    struct.pack_into(order + "3i", head, 64, 1, 2, 3)
    struct.pack_into(order + "i", head, 92, len(extended))
    head[104:108] = kind
    head[208:212] = mark
    if mark.strip(b"\0"):
        head[212:216] = b"\x44\x44\0\0" if order == "<" else b"\x11\x11\0\0"
    struct.pack_into(order + "i", head, 220, len(titles))
    for index, title in enumerate(titles):
        head[224 + 80 * index : 304 + 80 * index] = title.ljust(80)
    bits = {0: 8, 1: 16, 2: 32, 3: 32, 4: 64, 6: 16, 12: 16, 16: 24, 101: 4}.get(mode, 8)
    return bytes(head) + extended + bytes((width * bits + 7) // 8 * height * sections)


Tree = dict[str, "Tree | bytes"]


def dm_text(text: str, version: int = 4, order: str = "<") -> bytes:
    """The data of a tag that holds text: an array of 16-bit numbers."""
    raw = text.encode("utf-16-le" if order == "<" else "utf-16-be")
    return dm_data((20, 4, len(raw) // 2), raw, version)


def dm_data(info: tuple[int, ...], raw: bytes, version: int = 4) -> bytes:
    """The data of a tag, described by `info`."""
    letter = "Q" if version == 4 else "I"
    return b"%%%%" + struct.pack(f">{letter}{len(info)}{letter}", len(info), *info) + raw


def dm_group(tree: Tree, version: int = 4) -> bytes:
    """A group with its tags and groups; names that begin with # are left empty."""
    out = bytearray(struct.pack(">BB" + ("Q" if version == 4 else "I"), 1, 0, len(tree)))
    for name, below in tree.items():
        raw = b"" if name.startswith("#") else name.encode()
        body = below if isinstance(below, bytes) else dm_group(below, version)
        out += struct.pack(">BH", 21 if isinstance(below, bytes) else 20, len(raw)) + raw
        out += (struct.pack(">Q", len(body)) if version == 4 else b"") + body
    return bytes(out)


def dm_file(tree: Tree, version: int = 4, order: str = "<", behind: int = 8) -> bytes:
    """A header, the root group and the zero bytes that close the file."""
    root = dm_group(tree, version)
    length = len(root) + 8 - behind  # files of both kinds exist; the walk ends eight bytes before the end
    head = struct.pack(">IQI" if version == 4 else ">3I", version, length, order == "<")
    return head + root + bytes(8)


def synthetic_dm(version: int = 4, order: str = "<") -> bytes:
    """Synthetic, after C. Boothroyd's "Digital Micrograph file format": a preview, and an image of 6 x 4 pixels."""

    def number(kind: int, letter: str, value: float) -> bytes:
        return dm_data((kind,), struct.pack(order + letter, value), version)

    def axis() -> Tree:
        return {"Scale": number(6, "f", 0.5), "Units": dm_text("nm", version, order)}

    def image(width: int, height: int) -> Tree:
        return {
            "ImageData": {
                "Calibrations": {"Dimension": {"#0": axis(), "#1": axis()}},
                "Data": dm_data((20, 4, width * height), bytes(2 * width * height), version),
                "Dimensions": {"#0": number(5, "I", width), "#1": number(5, "I", height)},
            },
            "ImageTags": {
                "Microscope Info": {
                    "Microscope": dm_text("Titan Ø", version, order),
                    "Indicated Magnification": number(7, "d", 81000.0),
                },
                "DataBar": {"Acquisition Time (OS)": number(7, "d", 1.3309980037321494e17)},
                "GMS Version": {"Created": dm_text("3.22.1461.0", version, order)},
                "Box": dm_data((15, 0, 2, 0, 4, 0, 6), bytes(6), version),
            },
        }

    return dm_file({"ImageList": {"#0": image(3, 2), "#1": image(6, 4)}}, version, order)


def synthetic_ser(elements: int = 3, written: int | None = None, version: int = 0x220, axes: int = 2) -> bytes:
    """Synthetic, after C. Boothroyd's "TIA file format": images of 4 x 3 pixels (or spectra of 5), with times."""
    form = "<q" if version == 0x220 else "<i"
    width = struct.calcsize(form)
    table = 22 + width + 4
    place = table + 2 * elements * width
    shape = (4, 3) if axes == 2 else (5,)
    calibration = struct.pack("<ddi", 0.0, 1e-9, 0) * axes
    body = calibration + struct.pack(f"<h{axes}i", 2, *shape) + bytes(2 * (12 if axes == 2 else 5))
    head = struct.pack(
        "<4sH4i", b"II\x97\x01", version, 0x4122 if axes == 2 else 0x4120, 0x4152, elements,
        elements if written is None else written,
    )  # fmt: skip
    tag = struct.pack("<2i", 0x4152, 1_400_000_000)
    step = len(body) + len(tag)
    places = [place + index * step for index in range(elements)]
    offsets = [*places, *(one + len(body) for one in places)]
    rest = b"".join(struct.pack(form, one) for one in offsets)
    return head + struct.pack(form, table) + struct.pack("<i", 0) + rest + (body + tag) * elements
