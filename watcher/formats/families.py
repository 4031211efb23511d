"""The registry: one entry a family, in the order in which they are asked, and what can be told from it at once."""

import fnmatch
import re
from collections.abc import Iterator
from typing import Final

from watcher.formats.family import Family

_TIFF_MAGIC: Final = ((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+"))

# fmt: off
#: The special before the general: what is a TIFF of some maker before OME-TIFF, and that before plain TIFF.
FAMILIES: Final[tuple[Family, ...]] = (
    # Before every TIFF: the first 128 bytes of a DICOM file are free; some begin as a TIFF (dicom/CT_small.dcm does).
    Family(
        "dicom", "dicom", "DICOM",
        magic=((128, b"DICM"),),
        set_rule="the files of one series in a folder (at most 2000 there); the folder of a DICOMDIR",
        signals="all parts of a split image, all files of the DICOMDIR; the pixel data ends",
        checks="elements; bytes, fragments and tiles against the declared size",
        metadata="header, never the patient", sample="real",
    ),
    # Before mrc, eer, ome-tiff and tiff, because it joins a movie to its micrograph and then hands it to them
    Family(
        "epu", "epu", "EPU micrograph (Thermo Fisher)",
        magic=((0, b"<MicroscopeImage"),), patterns=("*.xml", "foilhole_*_data_*"),
        extensions=(".xml", ".mrc", ".mrcs", ".tif", ".tiff", ".eer"),
        set_rule="the micrograph's XML with the preview, image and movie that share its stem in its folder",
        signals="the XML is whole; its movie passes its own check",
        checks="the XML; movies as MRC, TIFF or EER",
        metadata="time, program, instrument, computer, magnification, pixel size", sample="synthetic",
    ),
    # Before OME-TIFF and TIFF: `ndtiff` and `mm-stack` know their files by bytes 8 to 11, `lsm` and `stk` by a private
    # field of the first page (their claim is one of a TIFF where only the name was right).
    Family(
        "ndtiff", "ndtiff", "NDTiff (Micro-Manager, Pycro-Manager)",
        magic=((8, b"\x91\x61\x07\x00"),), patterns=("ndtiff.index",), extensions=(".tif", ".index"),
        set_rule="the folder with NDTiff.index; of a pyramid, the folder above its levels",
        signals="index and stacks cut to what they hold (25 MiB and 4 GiB are reserved while it runs)",
        checks="every image of the index lies in its stack; directories of every stack; index and stacks end together",
        metadata="summary, axes", sample="real",
    ),
    Family(
        "mm-stack", "mm_stack", "Micro-Manager image stack",
        magic=((8, b"\x90\xc7\x43\x03"), (8, b"\x03\x43\xc7\x90")), extensions=(".tif", ".tiff"),
        set_rule="all stacks, *_metadata.txt and comments of one prefix in the folder, and what the OME-XML names",
        signals="flags in the header, written when the dataset is closed; end of *_metadata.txt",
        checks="header, index, settings, comments; then as OME-TIFF; blank images of a stopped acquisition are told",
        metadata="OME-XML, summary", sample="real",
    ),
    Family(
        "mm-planes", "mm_planes", "Micro-Manager separate images",
        patterns=("metadata.txt",), extensions=(".txt",),
        set_rule="the folder above the positions, with all in it",
        signals="every image that metadata.txt names is there; its closing bracket",
        checks="listed images exist; end of the text (unchecked if it was never closed)",
        metadata="summary", sample="real",
    ),
    Family(
        "lsm", "lsm", "Zeiss LSM",
        magic=((0, b"II*\0"),), extensions=(".lsm",),
        set_rule="each file, with what shares its stem",
        signals="the chain of directories ends; time stamps and other parts are there",
        checks="directories, strips, parts; from 4 GiB on: directories, and that all strips fit",
        metadata="CZ_LSMINFO, scan information", sample="synthetic",
    ),
    Family(
        "stk", "stk", "MetaMorph STK",
        magic=((0, b"II*\0"), (0, b"MM\0*")), extensions=(".stk", ".tif", ".tiff"),
        set_rule="each file, or the .nd that lists it",
        signals="all planes that UIC2 counts are in the file",
        checks="directory, strips, every plane behind the first (unless compressed)",
        metadata="UIC1, UIC2", sample="synthetic",
    ),
    Family(
        "metamorph-nd", "metamorph_nd", "MetaMorph .nd",
        patterns=("*.nd",), extensions=(".nd",),
        set_rule="the .nd, and the TIF, STK and thumbnails that begin with its name",
        signals="a file of the last time point; every position has what the others have",
        checks="end of the text; names of files by wavelength, position and time",
        metadata="start, wavelengths", sample="synthetic",
    ),
    Family(
        "nd2", "nd2", "Nikon ND2",
        magic=((0, b"\xda\xce\xbe\x0a"), (0, b"\0\0\0\x0cjP  ")), extensions=(".nd2",),
        set_rule="each file",
        signals="the chunk map at the end, which is written last; images 0 to N without a gap",
        checks="chunk map, place and name of the chunks (the first 20000); JPEG 2000 ND2: unchecked",
        metadata="LV and XML trees: time, objective, channels, size, pixel size, software",
    ),
    Family(
        "oib", "oib", "Olympus OIB",
        magic=((0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),), extensions=(".oib",),
        set_rule="each file",
        signals="OibInfo.txt and the settings in it name all streams, and all are there",
        checks="every sector of every stream; planes begin as TIFF", metadata="FluoView settings", sample="real",
    ),
    Family(
        "oif", "oif", "Olympus OIF",
        patterns=("*.oif",), extensions=(".oif",),
        set_rule="X.oif and the folder X.oif.files",
        signals="[ProfileSaveInfo] names the first and last plane, and all between are there",
        checks="list of planes, properties, look-up tables and regions; planes as TIFF",
        metadata="FluoView settings", sample="real",
    ),
    Family(
        "oir", "oir", "Olympus/Evident OIR",
        magic=((0, b"OLYMPUSRAWFORMAT"),),
        set_rule="X.oir and its continuations X_00001 ...",
        signals="the index at the end; planes as declared; no continuation left out",
        checks="index and blocks (the first 50000 and the last 200)",
        metadata="XML: time with offset, instrument, objective, channels, size, pixel size",
    ),
    # before ome-tiff and tiff: a VSI begins as a TIFF
    Family(
        "vsi", "vsi", "Olympus/Evident VSI + ETS",
        magic=((8, b"\x18\0IS"), (0, b"SIS\0")), extensions=(".vsi", ".ets"),
        set_rule="X.vsi and the folder _X_, whose tiles wait for it",
        signals="the table of tiles at the end of every frame_*.ets",
        checks="records, preview; table and place of all tiles",
        metadata="records: time, objective, channels, software",
    ),
    Family(
        "czi", "czi", "Zeiss CZI",
        magic=((0, b"ZISRAWFILE\0\0\0\0\0\0"),), extensions=(".czi",),
        set_rule="each file; the numbered parts of one document together",
        signals="its chain of segments ends with the file; the directory of images is written",
        checks="segments, directory of images, parts, attachments, XML", metadata="XML", sample="real",
    ),
    # A LOF begins with the same four bytes as a LIF; each looks at the text that follows, so the order is free.
    Family(
        "lof", "lof", "Leica LOF",
        magic=((0, b"p\0\0\0"),), extensions=(".lof",),
        set_rule="each file; the XLEF project that names it takes it along",
        signals="its XML, written last, is there",
        checks="image data and XML end with the file", metadata="XML",
    ),
    Family(
        "lif", "lif", "Leica LIF, LIFEXT",
        magic=((0, b"p\0\0\0"),), extensions=(".lif", ".lifext"),
        set_rule="each project, with its .lifext",
        signals="every image that its XML lists is in the file; its blocks end with the file",
        checks="blocks against the XML", metadata="XML",
    ),
    Family(
        "xlef", "leica_project", "Leica XLEF, XLIF, XLCF",
        patterns=("*.xlef", "*.xlif", "*.xlcf", "*.xllf"), extensions=(".xlef", ".xlif", ".xlcf", ".xllf"),
        set_rule="the folder of the project, or all files that its documents name",
        signals="all named documents and image files are there and not empty",
        checks="XML, names, amount of data in LOF files", metadata="XML",
    ),
    Family(
        "mrxs", "mrxs", "3DHISTECH MRXS",
        patterns=("*.mrxs",), extensions=(".mrxs",),
        set_rule="X.mrxs and the folder X",
        signals="every data file that Slidedat.ini names",
        checks="list, marks of the files, every item of the index lies in its data file",
        metadata="Slidedat.ini",
    ),
    # The next six directly before `ome-tiff` and `tiff`, after all other TIFF families: they recognise any TIFF whose
    # first page lies beyond the head, and then `claim` (one directory read) gives the right kind, OME-TIFF or TIFF.
    Family(
        "ndpi", "ndpi", "Hamamatsu NDPI",
        magic=((0, b"II*\0"),), extensions=(".ndpi",),
        set_rule="each file, with what shares its stem",
        signals="the chain of directories, with 64-bit offsets, ends",
        checks="directories and image data", metadata="TIFF fields",
    ),
    Family(
        "svs", "svs", "Aperio SVS",
        magic=_TIFF_MAGIC, extensions=(".svs", ".tif", ".tiff"),
        set_rule="each file, with what shares its stem",
        signals="the chain of directories ends; not nearly all tiles are empty",
        checks="directories and tiles", metadata="description",
    ),
    Family(
        "scn", "scn", "Leica SCN",
        magic=((0, b"II+\0"), (0, b"MM\0+")), extensions=(".scn", ".tif", ".tiff"),
        set_rule="each file, with what shares its stem",
        signals="every page that its XML lists",
        checks="directories, tiles and XML", metadata="XML",
    ),
    Family(
        "qptiff", "qptiff", "PerkinElmer/Akoya QPTIFF",
        magic=_TIFF_MAGIC, extensions=(".qptiff", ".tif", ".tiff"),
        set_rule="each file, with what shares its stem",
        signals="the chain of directories ends",
        checks="directories and tiles", metadata="XML of the first page",
    ),
    Family(
        "eer", "eer", "Thermo Fisher EER",
        magic=((0, b"II+\0"), (0, b"MM\0+")), extensions=(".eer",),
        set_rule="each file, with what shares its stem",
        signals="the chain of directories ends; fewer frames than meant are told",
        checks="directories and frames", metadata="XML",
    ),
    Family(
        "sem-tiff", "sem_tiff", "SEM TIFF (FEI/Thermo, Zeiss, JEOL, TESCAN)",
        magic=_TIFF_MAGIC, extensions=(".tif", ".tiff"),
        set_rule="each file, with what shares its stem; TESCAN: its -tif.hdr",
        signals="the chain of directories ends",
        checks="directories and strips", metadata="private fields; JEOL: maker and model",
    ),
    # htd, harmony and yokogawa: none begins as a TIFF; in any order before or after `ome-tiff` and `tiff`
    Family(
        "htd", "htd", "MetaXpress, ImageXpress (HTD)",
        magic=((0, b'"HTSInfoFile"'), (0, b'\xef\xbb\xbf"HTSInfoFile"')), extensions=(".htd",),
        set_rule="the plate's folder, with TimePoint_n and ZStep_n; copies of the HTD belong to it",
        signals="the HTD ends with its last line; quiet time (announced counts are upper bounds)",
        checks="text of every HTD; images there against those announced, as a remark",
        metadata="HTD, MetaSeries of the first image", sample="real",
    ),
    Family(
        "harmony", "harmony", "Harmony, Columbus (Opera, Operetta)",
        patterns=("index*.xml", "*columbusidx.xml"), extensions=(".xml",),
        set_rule="the measurement's folder: the one of the index, or above `Images`",
        signals="the index ends with its last tag; every file that it names is there",
        checks="index as a whole; every named file is there", metadata="index", sample="real",
    ),
    Family(
        "yokogawa", "yokogawa", "Yokogawa CV7000, CV8000, CQ1",
        patterns=("*.mlf", "*.mrf", "*.wpi"), extensions=(".mlf", ".mrf", ".wpi"),
        set_rule="the measurement's folder",
        signals="end time in the .mrf; the .mlf ends with its last tag; every image and settings file named is there",
        checks=".mlf, .mrf and .wpi as a whole; every named file is there; other records are counted",
        metadata=".mrf, .mlf, .mes", sample="real",
    ),
    Family(
        "incell", "incell", "IN Cell Analyzer",
        patterns=("*.xdce",), extensions=(".xdce",),
        set_rule="the folder of the .xdce",
        signals="the .xdce ends with its last tag; every image that it names is there",
        checks="list as a whole; every named image is there", metadata=".xdce",
    ),
    # The HDF5 relatives: `luxendo` before `ims`, `emd` and `hdf5`, which are all told by what the root group holds (a
    # claim of one may be of another). `bdv` is asked for X.xml; its X.h5 is claimed as `bdv` by `hdf5`.
    Family(
        "luxendo", "luxendo", "Luxendo light sheet",
        patterns=("*.lux.h5",), extensions=(".lux.h5",),
        set_rule="the folder of the run (YYYY-MM-DD_HHMMSS), with all in it",
        signals="no file of it is open for writing; quiet (how many files there will be is not known)",
        checks="superblock, groups, chunk lists (up to 150,000 chunks); the image is there",
        metadata="-",
    ),
    Family(
        "bdv", "bdv", "BigDataViewer, BigStitcher",
        patterns=("*.xml",), extensions=(".xml", ".h5"),
        set_rule="X.xml and the HDF5 file, partitions, or N5 or Zarr folder that it lists",
        signals="every view (time point x setup) is in the HDF5 file; all listed files are there",
        checks="end of the XML; superblocks, groups, chunk lists", metadata="XML: size, pixel size",
    ),
    Family(
        "ims", "ims", "Imaris",
        magic=((0, b"\x89HDF\r\n\x1a\n"), (512, b"\x89HDF\r\n\x1a\n")), extensions=(".ims",),
        set_rule="each file",
        signals="DataSetInfo, which is written last; every level, time point and channel has its data",
        checks="superblock, groups (also dense ones), chunk lists (up to 150,000 chunks)",
        metadata="DataSetInfo", sample="real",
    ),
    Family(
        "emd", "emd", "EMD (Velox, NCEM)",
        magic=((0, b"\x89HDF\r\n\x1a\n"), (512, b"\x89HDF\r\n\x1a\n")), extensions=(".emd", ".h5", ".hdf5"),
        set_rule="each file",
        signals="every image and spectrum has its data and its description",
        checks="superblock, groups, chunk lists", metadata="-",
    ),
    Family(
        "hdf5", "hdf5", "HDF5 of any kind",
        magic=((0, b"\x89HDF\r\n\x1a\n"), (512, b"\x89HDF\r\n\x1a\n")),
        set_rule="each file, with what shares its stem",
        signals="the end that the superblock states is the file's; not marked as open for writing (version 3)",
        checks="superblock, groups, chunk lists", metadata="-",
    ),
    Family(
        "dv", "deltavision", "DeltaVision",
        magic=((96, b"\xa0\xc0"), (96, b"\xc0\xa0")), patterns=("*.dv.log", "*.r3d.log"),
        extensions=(".dv", ".r3d", ".r3d_d3d", ".log"),
        set_rule="X.dv with X.dv.log and X_log.txt; X_D3D.dv is a set of its own",
        signals="the size that the header asks for", checks="size", metadata="header", sample="real",
    ),
    Family(
        "ome-zarr", "ome_zarr", "OME-Zarr 0.1 to 0.5",
        patterns=("zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata"),
        folders=(".zarr",),
        set_rule="the folder of the topmost group, with all in it",
        signals="every listed well, image, level, label and series is there; no temporary chunks",
        checks="metadata; chunks within the grid; size of raw and Blosc chunks, index of shards (some may be absent)",
        metadata="multiscales, omero, OME-XML", sample="real",
    ),
    Family(
        "mdoc", "mdoc", "SerialEM mdoc (tilt series, montage, movies)",
        patterns=("*.mdoc",), extensions=(".mdoc",),
        set_rule="the stack or movies that it names, by their last part, in its folder",
        signals="sections described = sections of the stack; movies have the frames listed",
        checks="listing, sections, frames, end of the text",
        metadata="time, instrument, program, size, pixel size, magnification", sample="real",
    ),
    # MRC after DeltaVision, whose header it resembles (it refuses files with DeltaVision's mark)
    Family(
        "mrc", "mrc", "MRC, CCP4 map, IMOD and SerialEM stack",
        magic=((208, b"MAP "),),
        patterns=("*.mrc", "*.mrcs", "*.st", "*.map", "*.rec", "*.ali", "*.preali", "*.ccp4"),
        extensions=(".mrc", ".mrcs", ".st", ".map", ".rec", ".ali", ".preali", ".ccp4"),
        set_rule="each file, with what shares its stem",
        signals="size = header + extended header + sections",
        checks="size equation of every mode, in both byte orders",
        metadata="size, pixel size; SerialEM titles and FEI headers: time, instrument, program", sample="real",
    ),
    Family(
        "dm", "dm", "Gatan DM3, DM4",
        magic=((0, b"\0\0\0\3"), (0, b"\0\0\0\4")), extensions=(".dm3", ".dm4"),
        set_rule="each file, with what shares its stem",
        signals="the tags end where the header says, and zero bytes close the file",
        checks="every tag and the place of its data",
        metadata="size, pixel size, time, instrument, magnification, program, operator", sample="synthetic",
    ),
    Family(
        "ser", "ser", "FEI TIA series (.ser, .emi)",
        magic=((0, b"II\x97\x01"),), extensions=(".ser",),
        set_rule="each .ser, joined by the .emi of its name",
        signals="every element of the offset table is in the file",
        checks="offset table, elements and their times",
        metadata="size; .emi: time, instrument, magnification, operator", sample="synthetic",
    ),
    Family(
        "norpix", "norpix", "Norpix StreamPix sequence",
        magic=((4, b"N\0o\0r\0p\0i\0x\0 \0s\0e\0q\0"),), extensions=(".seq",),
        set_rule="each file, with its index .seq.idx",
        signals="size = header + frames",
        checks="size equation (uncompressed only)", metadata="size", sample="real",
    ),
    Family(
        "ome-tiff", "ome_tiff", "OME-TIFF",
        magic=_TIFF_MAGIC, patterns=("*.companion.ome",),
        extensions=(".tif", ".tiff", ".tf2", ".tf8", ".btf", ".ome"),
        set_rule="all files that the OME-XML names, and their companion",
        signals="every listed file is there; planes as declared",
        checks="directories and strips of every file; identifiers and planes against the OME-XML",
        metadata="OME-XML", sample="real",
    ),
    Family(
        "tiff", "tiff", "TIFF, BigTIFF, ImageJ",
        magic=_TIFF_MAGIC, extensions=(".tif", ".tiff", ".tf2", ".tf8", ".btf", ".flex"),
        set_rule="each file, with what shares its stem",
        signals="the chain of directories ends",
        checks="directories and strips", metadata="-", sample="real",
    ),
)
# fmt: on

#: Files of which a plate or a stack holds thousands, and that only speak of themselves.
_PLAIN: Final = (".tif", ".tiff", ".jpg", ".png", ".flex")
_TELLING: Final = re.compile("|".join(fnmatch.translate(p) for family in FAMILIES for p in family.patterns))
_SET_FOLDERS: Final = tuple(ending for family in FAMILIES for ending in family.folders)


def candidates(head: bytes, name: str) -> Iterator[Family]:
    """The families that a file may be of, in the order in which they are to be asked."""
    # Most names are nobody's: all patterns in one say so, four times sooner than each by itself.
    named = _TELLING.fullmatch(name.lower()) is not None
    return (family for family in FAMILIES if family.begins(head) or (named and family.is_named(name)))


def is_set_folder(name: str) -> bool:
    """Whether a folder of this name is a set as a whole, whatever is in it: `scan.zarr`."""
    return bool(_SET_FOLDERS) and name.lower().endswith(_SET_FOLDERS)


def may_tell_more(name: str) -> bool:
    """Whether a file of this name may say of its set what its plain neighbours do not: an index, a container."""
    lower = name.lower()
    return not lower.endswith(_PLAIN) or _TELLING.fullmatch(lower) is not None


def table() -> str:
    """The table of formats in the README, in Markdown."""
    lines = ["| format | which files are a set | complete when | what is checked | metadata | tested with |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for one in FAMILIES:
        cells = (one.title, one.set_rule, one.signals, one.checks, one.metadata, f"{one.sample} files")
        lines.append(f"| {' | '.join(cell.replace('|', '/') or '-' for cell in cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(table())
