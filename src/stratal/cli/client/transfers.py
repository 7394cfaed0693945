"""Moving images: uploads that go on after an interruption and are proven by their checksum, downloads."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from stratal.cli.client.errors import BadArgument, ClientError, Refused, Unreachable, WentWrong
from stratal.cli.client.kinds import JSON
from stratal.cli.client.session import Session, id_of
from stratal.cli.client.waiting import Stopped, Wait, bar, settled

IMAGES = "vm-images"
_CHUNK = 2**20
_ATTEMPTS = 6
_MAGIC = ((0, b"QFI\xfb", "qcow2"), (0, b"KDMV", "vmdk"), (0, b"vhdxfile", "vhdx"), (32769, b"CD001", "iso"))


class Digest(Protocol):
    """A checksum in the making."""

    def update(self, data: bytes, /) -> None: ...


class Uploaded(ClientError):
    """What arrived is not what was sent."""

    code = "wrong_checksum"
    template = "the server has {theirs} of {path}, and here it is {ours}"
    remedy = "Delete the image and upload it again."
    exit_code = 8


def format_of(path: Path) -> str:
    """What sort of image a file is, by its first bytes. Raises BadArgument if it cannot be read."""
    try:
        with path.open("rb") as file:
            for offset, magic, name in _MAGIC:
                file.seek(offset)
                if file.read(len(magic)) == magic:
                    return name
    except OSError as error:
        raise BadArgument(reason=f"{path} cannot be read: {error.strerror}") from error
    return "raw"


def size_of(path: Path) -> int:
    """Bytes of a file. Raises BadArgument for what is no file, or is empty."""
    try:
        if not path.is_file():
            raise BadArgument(reason=f"there is no file {path}")
        size = path.stat().st_size
    except OSError as error:
        raise BadArgument(reason=f"{path} cannot be read: {error.strerror}") from error
    if not size:
        raise BadArgument(reason=f"{path} is empty")
    return size


def upload(session: Session, item: JSON, path: Path, wait: Wait) -> JSON:
    """Send a file as the content of an image, from where an earlier upload ended; wait until it can be used.

    A broken connection is tried again. Raises Interrupted after Ctrl-C, with what is safe kept.
    """
    id, size = id_of(item), size_of(path)
    name = f"{item['metadata']['name']} ({id})"
    digest = hashlib.sha256()
    item = _send(session, item, path, size, digest)
    item = finished(session, item, f"Converting {name}", wait)
    theirs = str(item["status"].get("checksum") or "").removeprefix("sha256:")
    if item["status"].get("upload_state") == "finished" and theirs and theirs != digest.hexdigest():
        raise Uploaded(path=path, theirs=theirs, ours=digest.hexdigest())
    return item


def finished(session: Session, item: JSON, what: str, wait: Wait) -> JSON:
    """The image once it can be used. Raises WentWrong if it never will."""

    def ended(now: JSON) -> bool:
        return now["status"].get("upload_state") in ("finished", "failed")

    item = settled(session, IMAGES, item, what, wait, done=ended)
    if item["status"].get("upload_state") == "failed":
        raise WentWrong(what=what, reason=item["status"].get("problem") or "the server does not say why")
    return item


def _send(session: Session, item: JSON, path: Path, size: int, digest: Digest) -> JSON:
    id = id_of(item)
    what = f"Uploading {path.name}"
    hashed = 0
    with bar(what) as shown, path.open("rb") as file:
        for attempt in range(1, _ATTEMPTS + 1):
            start = min(int(item["status"].get("uploaded_byte") or 0), size)
            if start == size and item["status"].get("upload_state") in ("converting", "finished"):
                hashed += _hash(file, hashed, size, digest)
                return item

            def content(start: int = start) -> Iterator[bytes]:
                nonlocal hashed
                hashed += _hash(file, hashed, start, digest)
                file.seek(start)
                at = start
                while at < size:
                    chunk = file.read(min(_CHUNK, size - at))
                    if not chunk:
                        raise BadArgument(reason=f"{path} became shorter while it was read")
                    if at + len(chunk) > hashed:  # what is sent a second time was counted the first time
                        digest.update(chunk[max(0, hashed - at) :])
                        hashed = at + len(chunk)
                    at += len(chunk)
                    yield chunk
                    shown.show((at, size), at_once=True)

            headers = {
                "content-range": f"bytes {start}-{size - 1}/{size}",
                "content-length": str(size - start),
            }
            try:
                return session.connection.upload(f"/{IMAGES}/{id}/:upload", content(), headers)
            except KeyboardInterrupt:
                reason = f"the upload of {path.name} was stopped; what has arrived is safe"
                remedy = f"Go on with it: stratal image resume {id} {path}"
                raise Stopped(reason=reason, remedy=remedy) from None
            except (Unreachable, Refused) as error:
                if attempt == _ATTEMPTS or (isinstance(error, Refused) and not _may_go_on(error)):
                    raise
                shown.show((start, size), "waiting for the server", at_once=True)
                time.sleep(min(0.5 * 2**attempt, 10.0))
                item = _again(session, id)
    raise AssertionError("unreachable")


def _may_go_on(refused: Refused) -> bool:
    """Whether another attempt from where the server is may do: it is busy, or knows of more or less."""
    return refused.status in (408, 409, 503)


def _again(session: Session, id: int) -> JSON:
    """The image, from a server that may just be starting again."""
    for _ in range(30):
        try:
            return session.show(IMAGES, id)
        except Unreachable:
            time.sleep(1.0)
    return session.show(IMAGES, id)


def _hash(file: BinaryIO, start: int, end: int, digest: Digest) -> int:
    """Take the bytes from `start` to `end` in; returns how many these were."""
    file.seek(start)
    left = max(0, end - start)
    while left:
        chunk = file.read(min(_CHUNK, left))
        if not chunk:
            break
        digest.update(chunk)
        left -= len(chunk)
    return max(0, end - start) - left


def download(session: Session, item: JSON, path: Path, format: str, *, check: Callable[[Path], None]) -> int:
    """Write an image to a file, which is there only once it is whole; returns its bytes.

    A raw download that broke goes on where it was.
    """
    id = id_of(item)
    partial = path.with_name(f"{path.name}.partial")
    check(path)
    with bar(f"Downloading {item['metadata']['name']}") as shown:
        for attempt in range(1, _ATTEMPTS + 1):
            start = partial.stat().st_size if attempt > 1 and format == "raw" and partial.exists() else 0
            headers = {"range": f"bytes={start}-"} if start else {}
            try:
                with (
                    session.connection.download(
                        f"/{IMAGES}/{id}/download", headers, format=format
                    ) as response,
                    partial.open("ab" if response.status_code == 206 else "wb") as file,
                ):
                    done = file.tell()
                    total = done + int(response.headers.get("content-length") or 0)
                    for chunk in response.iter_bytes(_CHUNK):
                        file.write(chunk)
                        done += len(chunk)
                        shown.show((done, total), at_once=True)
                    file.flush()
                    os.fsync(file.fileno())
                partial.replace(path)
            except KeyboardInterrupt:
                partial.unlink(missing_ok=True)
                raise Stopped(reason=f"the download of {path.name} was stopped") from None
            except OSError as error:
                raise BadArgument(reason=f"{partial} cannot be written: {error.strerror}") from error
            except Unreachable:
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(min(0.5 * 2**attempt, 10.0))
            else:
                return done
    raise AssertionError("unreachable")
