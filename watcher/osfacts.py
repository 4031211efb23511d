"""The only platform code: what a file is to the operating system, how to read it unnoticed, how to be a quiet guest."""

import contextlib
import errno
import functools
import os
import re
import socket
import stat
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, BinaryIO, Final, NamedTuple, Protocol, cast

from watcher.model import FileFacts

_STRANGE_TO_WINDOWS: Final = re.compile(
    r'[<>:"|?*\\]|[. ]$|^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)', re.IGNORECASE
)

#: What disks say that have no hard links (FAT, exFAT, some shares).
_NO_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def facts_from(stat: os.stat_result) -> FileFacts:
    """The facts in a stat result. The volume is left out: a share or disk may have another number after each start."""
    return FileFacts(stat.st_size, stat.st_mtime_ns, f"{stat.st_ino:x}" if stat.st_ino else "")


def facts_at(path: Path | str) -> FileFacts:
    """The facts of the file at `path`, asked of the file and never of a directory listing.

    On NTFS a listing's size and time are stale while a writer holds the file (cpython#85278). Raises OSError.
    """
    return facts_from(os.stat(path))


@contextlib.contextmanager
def asking_in(folder: str) -> Iterator[Callable[[bytes], os.stat_result]]:
    """How to ask the files of one folder by name, without walking its whole path for each. Raises OSError."""
    if os.stat not in os.supports_dir_fd:
        base = os.path.join(os.fsencode(folder), b"")
        yield lambda name: os.stat(base + name)
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield functools.partial(os.stat, dir_fd=handle)
    finally:
        os.close(handle)


class Entry(Protocol):
    """What is needed of an entry of a directory; `os.DirEntry` is one."""

    @property
    def name(self) -> str: ...

    @property
    def path(self) -> str: ...

    def is_symlink(self) -> bool: ...

    def is_dir(self, *, follow_symlinks: bool = True) -> bool: ...

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result: ...


def status_of(entry: Entry) -> os.stat_result:
    """The status of a directory's entry, without following a link. Raises OSError."""
    if sys.platform == "win32":
        return os.stat(entry.path, follow_symlinks=False)
    return entry.stat(follow_symlinks=False)


def is_link(entry: Entry) -> bool:
    """Whether a directory's entry only points elsewhere: a symbolic link, or a junction on Windows."""
    if sys.platform == "win32":
        attributes = entry.stat(follow_symlinks=False).st_file_attributes
        return entry.is_symlink() or bool(attributes & stat.FILE_ATTRIBUTE_REPARSE_POINT)
    return entry.is_symlink()


class Disk:
    """How a watched folder is looked at: this takes the system at its word, as one may with disks. All raise OSError.

    `trusted` says whether native events, the times of directories, numbers and owners of files and the free space mean
    anything there, and whether what is not listed is gone.
    """

    trusted = True

    def looking(self) -> AbstractContextManager[None]:
        """For as long as a look takes. Raises WatchFolderError if it is not what it should be."""
        return contextlib.nullcontext()

    def entries(self, folder: Path) -> AbstractContextManager[Iterator[Entry]]:
        """What is listed in a folder."""
        return os.scandir(folder)

    def stat(self, path: Path) -> os.stat_result:
        """The status of a file or folder."""
        return os.stat(path)

    def facts(self, status: os.stat_result) -> FileFacts:
        """What of a status is enough to notice any change."""
        return facts_from(status)

    def confirmed(self, folder: Path) -> Mapping[str, FileFacts]:
        """The files in a folder as they are beyond doubt, by name."""
        with self.entries(folder) as entries:
            plain = [entry for entry in entries if not is_link(entry) and not entry.is_dir(follow_symlinks=False)]
            return {entry.name: self.facts(status_of(entry)) for entry in plain}

    def gone(self, folder: Path) -> bool:  # noqa: ARG002 - what is not there is gone
        """Whether a folder that is not seen is no longer there, beyond doubt."""
        return True

    def owner(self, path: Path) -> str:
        """Who owns a file; "" if that is not known."""
        return owner_of(path)


#: The disks of this computer.
LOCAL: Final = Disk()


def facts_of(file: IO[bytes]) -> FileFacts:
    """The facts of an open file. Raises OSError."""
    return facts_from(os.fstat(file.fileno()))


def open_shared(path: Path) -> BinaryIO:
    """Open a file for reading so that its owner can still write, rename and delete it. Raises OSError.

    Python's open() on Windows does not share deletion, which would make the acquisition program's rename fail while we
    read (Microsoft: CreateFileW, dwShareMode). Elsewhere, what has become a pipe meanwhile must not hold us up.
    """
    if sys.platform == "win32":
        return _open_shared_windows(path)
    return cast(
        BinaryIO, open(path, "rb", buffering=0, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))
    )


def host_name() -> str:
    """The name of this computer."""
    return socket.gethostname()


def owner_of(path: Path) -> str:
    """The login that owns a file, `DOMAIN\\login` on Windows; "" if it has none that is known here. Raises OSError."""
    if sys.platform == "win32":
        return _owner_on_windows(path)
    import pwd

    try:
        return pwd.getpwuid(os.stat(path).st_uid).pw_name
    except KeyError:
        return ""


def is_root() -> bool:
    """Whether this process may do everything on this computer, by its user."""
    return sys.platform != "win32" and os.geteuid() == 0


def lower_priority() -> None:
    """Give way to the acquisition program in CPU and disk; what the system does not allow is left as it is."""
    import psutil  # imported here: only the long-running verbs need it

    me = psutil.Process()
    with contextlib.suppress(OSError, psutil.Error):
        if sys.platform == "win32":
            me.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        else:
            me.nice(10)
    with contextlib.suppress(OSError, psutil.Error):
        if sys.platform == "win32":
            me.ionice(psutil.IOPRIO_LOW)
        elif sys.platform == "linux":
            me.ionice(psutil.IOPRIO_CLASS_IDLE)


#: Lets a program start without a window of its own (Microsoft, Process Creation Flags: CREATE_NO_WINDOW).
NO_WINDOW: Final = 0x08000000 if sys.platform == "win32" else 0


def limit_myself(*, memory: int, seconds: int) -> None:
    """Let this process end when it asks for more address space, in bytes, or has used more seconds of CPU.

    Windows has no such limits for a single process, and macOS does not keep the first: there whoever started it looks.
    """
    if sys.platform == "win32":
        return
    import resource

    for what, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(what, (most, most))


def runs(program: str) -> bool:
    """Whether a process of this name runs, in any case of letters and with or without `.exe`.

    If the system does not say it is taken to run: so nobody is disturbed.
    """
    import psutil

    wanted = _plain(program)
    try:
        return any(_plain(process.info["name"] or "") == wanted for process in psutil.process_iter(["name"]))
    except (OSError, psutil.Error):
        return True


def _plain(program: str) -> str:
    return program.lower().removesuffix(".exe")


class Blindness(NamedTuple):
    """What a disk does not see in the names of files: the case of letters, or their Unicode form (é, or e and ´)."""

    case: bool
    form: bool

    def seen_as(self, name: str) -> str:
        """The same for all names that are one to the disk; it may also be the same for a few that are not."""
        name = unicodedata.normalize("NFD", name) if self.form else name
        return name.casefold() if self.case else name


def blindness(folder: Path) -> Blindness:
    """Find out with a file that is there for a moment. Raises OSError."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".irods-watcher-\u00e9-", suffix=".probe") as probe:
        place, name = os.path.split(probe.name)
        case = os.path.lexists(os.path.join(place, name.replace("watcher", "WATCHER")))
        form = os.path.lexists(os.path.join(place, unicodedata.normalize("NFD", name)))
    return Blindness(case, form)


class Volume(NamedTuple):
    """The disk or share that a folder is on: where it begins, its file system, and whether another computer has it."""

    mount: str
    kind: str
    remote: bool


#: File systems of other computers by the names that Linux and macOS have for them; all of FUSE's may be.
_REMOTE: Final = re.compile(r"nfs\d?|cifs|smb\w*|9p|afs|afpfs|ceph|lustre|beegfs|webdav|davfs|fuse\..*")


def volume_of(path: Path) -> Volume | None:
    """The volume of a folder; None if the system does not say. Raises OSError."""
    import psutil

    if str(path).startswith(("\\\\", "//")) and sys.platform == "win32":
        return Volume(path.anchor, "share", remote=True)
    real = path.resolve()
    # What was mounted last hides what was mounted there before.
    there = [one for one in reversed(psutil.disk_partitions(all=True)) if real.is_relative_to(one.mountpoint)]
    if not there:
        return None
    found = max(there, key=lambda one: len(Path(one.mountpoint).parts))
    remote = "remote" in found.opts.split(",") if sys.platform == "win32" else bool(_REMOTE.fullmatch(found.fstype))
    return Volume(found.mountpoint, found.fstype, remote)


def name_on_disk(path: Path) -> str:
    """The last part of a path as its folder lists it, which a disk that is blind to case may have otherwise.

    Only reads. Raises OSError.
    """
    names = os.listdir(path.parent)
    if path.name in names:
        return path.name
    seen = Blindness(case=True, form=True).seen_as
    return next((name for name in names if seen(name) == seen(path.name)), path.name)


def listens(process: int, port: int) -> bool:
    """Whether this process waits for connections on a port of this computer."""
    import psutil

    with contextlib.suppress(OSError, psutil.Error):
        found = psutil.Process(process).net_connections("tcp")
        return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in found)
    return False


def holds(name: str, system: str = sys.platform) -> bool:
    """Whether the system has files of this name, and not a device, a stream or a shorter name instead.

    Microsoft, Naming Files, Paths, and Namespaces.
    """
    return system != "win32" or not _STRANGE_TO_WINDOWS.search(name)


def is_being_written(path: Path) -> bool | None:
    """Whether some program has the file open for writing; None where the system or the disk does not say.

    Linux: a read lease is refused while it is (fcntl(2), F_SETLEASE). Windows: opening it without letting others write
    is (CreateFileW, dwShareMode). Raises OSError if the file cannot be opened at all.
    """
    if sys.platform == "win32":
        return _is_being_written_windows(path)
    if sys.platform != "linux":
        return None
    import fcntl

    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return None  # somebody else's file, or a disk without leases
    else:
        return False
    finally:
        os.close(handle)


def move_new(old: Path, new: Path) -> None:
    """Give a file another name on the same disk, and never take the place of one that has it. Raises OSError."""
    if sys.platform == "win32":
        os.rename(old, new)  # refuses by itself
        return
    try:
        os.link(old, new, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A disk without hard links: the name is looked for just before.
        if os.path.lexists(new):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(new)) from None
        os.rename(old, new)
    else:
        os.unlink(old)


def sync_directory(path: Path) -> None:
    """Make a rename in the directory survive a power failure, where the system needs that said. Raises OSError."""
    if sys.platform == "win32":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def forget_cached(file: IO[bytes]) -> None:
    """Ask the system to drop what it caches of a file, so that reading it again reads the disk."""
    if sys.platform == "linux":
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _open_shared_windows(path: Path) -> BinaryIO:
    if sys.platform != "win32":
        raise AssertionError("Windows only")
    import ctypes
    import msvcrt

    generic_read, share_all, open_existing, sequential = 0x80000000, 0x7, 3, 0x08000000
    create = ctypes.WinDLL("kernel32", use_last_error=True).CreateFileW
    create.restype = ctypes.c_void_p
    number, pointer = ctypes.c_uint32, ctypes.c_void_p
    create.argtypes = [ctypes.c_wchar_p, number, number, pointer, number, number, pointer]
    handle = create(str(path), generic_read, share_all, None, open_existing, sequential, None)
    if handle in (None, ctypes.c_void_p(-1).value):
        raise ctypes.WinError(ctypes.get_last_error())
    return cast(BinaryIO, open(msvcrt.open_osfhandle(handle, os.O_RDONLY), "rb", buffering=0))


def _is_being_written_windows(path: Path) -> bool:
    if sys.platform != "win32":
        raise AssertionError("Windows only")
    import ctypes

    generic_read, share_but_writing, open_existing, sharing_violation = 0x80000000, 0x5, 3, 32
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.CreateFileW.restype = ctypes.c_void_p
    number, pointer = ctypes.c_uint32, ctypes.c_void_p
    kernel.CreateFileW.argtypes = [ctypes.c_wchar_p, number, number, pointer, number, number, pointer]
    handle = kernel.CreateFileW(str(path), generic_read, share_but_writing, None, open_existing, 0, None)
    if handle in (None, ctypes.c_void_p(-1).value):
        if ctypes.get_last_error() == sharing_violation:
            return True
        raise ctypes.WinError(ctypes.get_last_error())
    kernel.CloseHandle(ctypes.c_void_p(handle))
    return False


def _owner_on_windows(path: Path) -> str:
    """Microsoft: GetNamedSecurityInfoW and LookupAccountSidW; the owner of a file is a SID."""
    if sys.platform != "win32":
        raise AssertionError("Windows only")
    import ctypes

    of_file, owner_information, not_found = 1, 1, (2, 3)
    advapi = ctypes.WinDLL("advapi32", use_last_error=True)
    sid, descriptor = ctypes.c_void_p(), ctypes.c_void_p()
    found = advapi.GetNamedSecurityInfoW(
        ctypes.c_wchar_p(str(path)), of_file, owner_information, ctypes.byref(sid), None, None, None,
        ctypes.byref(descriptor),
    )  # fmt: skip
    if found in not_found:
        raise FileNotFoundError(2, os.strerror(2), str(path))
    if found:
        return ""
    try:
        name, domain = ctypes.create_unicode_buffer(256), ctypes.create_unicode_buffer(256)
        sizes, use = [ctypes.c_uint32(256), ctypes.c_uint32(256)], ctypes.c_uint32()
        known = advapi.LookupAccountSidW(
            None, sid, name, ctypes.byref(sizes[0]), domain, ctypes.byref(sizes[1]), ctypes.byref(use)
        )
        return f"{domain.value}\\{name.value}" if known and domain.value else name.value if known else ""
    finally:
        ctypes.WinDLL("kernel32").LocalFree(descriptor)
