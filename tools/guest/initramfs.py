"""The guest's file system: an archive that the kernel unpacks into memory.

The same inputs give the same bytes: names are sorted, owners are root, times are zero.
"""

import re
import shutil
import stat
import subprocess
from pathlib import Path

import kernel
from failure import BuildFailed

HERE = Path(__file__).parent

#: Programs beside busybox and our own, and the packages that they and their libraries come from.
PROGRAMS = ("usr/sbin/qemu-ga", "sbin/mke2fs", "sbin/e2fsck", "sbin/resize2fs")
PACKAGES = (
    *("busybox-static", "qemu-guest-agent", "e2fsprogs", "libc6", "libglib2.0-0", "libpcre2-8-0", "libudev1"),
    *("libnuma1", "liburing2", "libext2fs2", "libcom-err2", "libblkid1", "libuuid1"),
)
_LIBRARIES = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu")
_LOADER = "lib64/ld-linux-x86-64.so.2"
_FOLDERS = (
    "bin",
    "dev",
    "data",
    "etc",
    "mnt",
    "proc",
    "run",
    "sbin",
    "sys",
    "tmp",
    "usr/bin",
    "usr/sbin",
    "var",
)
_NEEDED = re.compile(r"\(NEEDED\).*\[(.+)\]")


def build(packages: Path, kernel_root: Path, scratch: Path) -> bytes:
    """The archive, from unpacked packages."""
    root = scratch / "initramfs"
    for folder in _FOLDERS:
        (root / folder).mkdir(parents=True)
    shutil.copytree(HERE / "root", root, dirs_exist_ok=True)
    compile_program(root / "bin/stratal-guest")
    _add_busybox(packages, root)
    _add_programs(packages, root)
    _add_modules(kernel_root, root)
    return _archive(root)


def compile_program(target: Path) -> None:
    """The guest's own program, static: it needs nothing else, and starts sooner."""
    sources = sorted((HERE / "src").glob("*.c"))
    command = ["gcc", "-D_GNU_SOURCE", "-std=gnu11", "-O2", "-static", "-s", "-pthread", "-Wall", "-Wextra"]
    # One build is like the other, wherever the sources lie.
    command += [f"-ffile-prefix-map={HERE}=.", "-Wl,--build-id=none", "-o", str(target)]
    result = subprocess.run([*command, *sources], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise BuildFailed(f"gcc failed:\n{result.stderr[-4000:]}")


def _add_busybox(packages: Path, root: Path) -> None:
    busybox = packages / "bin/busybox"
    shutil.copy2(busybox, root / "bin/busybox")
    listed = subprocess.run([busybox, "--list-full"], capture_output=True, text=True, check=True).stdout
    for path in listed.split():
        applet = root / path
        applet.parent.mkdir(parents=True, exist_ok=True)
        if not applet.exists():
            applet.symlink_to("/bin/busybox")


def _add_programs(packages: Path, root: Path) -> None:
    added = {_LOADER.rpartition("/")[2]}
    (root / "lib64").mkdir()
    (root / _LIBRARIES[0]).mkdir(parents=True)
    shutil.copyfile((packages / _LOADER).resolve(), root / _LOADER)
    (root / _LOADER).chmod(0o755)
    pending = [packages / program for program in PROGRAMS]
    for program in PROGRAMS:
        (root / program).unlink(missing_ok=True)  # busybox's own, which knows less
        shutil.copy2(packages / program, root / program)
    while pending:
        listed = subprocess.run(
            ["readelf", "--dynamic", pending.pop()], capture_output=True, text=True, check=True
        )
        for name in _NEEDED.findall(listed.stdout):
            if name not in added:
                added.add(name)
                library = _library(packages, name)
                shutil.copyfile(library, root / _LIBRARIES[0] / name)
                pending.append(library)


def _library(packages: Path, name: str) -> Path:
    for folder in _LIBRARIES:
        if (packages / folder / name).exists():
            return packages / folder / name
    raise BuildFailed(f"none of the packages {', '.join(PACKAGES)} has {name}")


def _add_modules(kernel_root: Path, root: Path) -> None:
    folder = root / "lib/modules"
    folder.mkdir(parents=True)
    files = kernel.module_files(kernel_root)
    for file in files:
        (folder / file.name).write_bytes(kernel.unsigned(file.read_bytes()))
    (folder / "order").write_text("".join(f"/lib/modules/{file.name}\n" for file in files))


def _archive(root: Path) -> bytes:
    """In the format "newc": Documentation/driver-api/early-userspace/buffer-format.rst of the kernel."""
    entries = [_entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))]
    for number, path in enumerate(sorted(root.rglob("*")), start=2):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            entries.append(_entry(name, stat.S_IFLNK | 0o777, str(path.readlink()).encode(), number))
        elif path.is_dir():
            entries.append(_entry(name, stat.S_IFDIR | 0o755, number=number))
        else:
            mode = 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644
            entries.append(_entry(name, stat.S_IFREG | mode, path.read_bytes(), number))
    # By the order of names, a folder comes before what is in it; the console has to go behind its folder.
    entries.insert(
        next(i for i, entry in enumerate(entries) if entry[110:114] == b"dev\0") + 1, entries.pop(0)
    )
    return b"".join(entries) + _entry("TRAILER!!!", 0)


def _entry(
    name: str, mode: int, data: bytes = b"", number: int = 1, device: tuple[int, int] = (0, 0)
) -> bytes:
    encoded = name.encode() + b"\0"
    # inode, mode, uid, gid, links, time, size, its device (2), the device it is (2), length of name, checksum
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(encoded), 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
    return _padded(header) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
