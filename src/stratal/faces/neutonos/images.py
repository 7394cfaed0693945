"""The endpoints of images that stream: uploads and downloads. HTTP's own notions end here."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from email.message import Message
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from multipart import (  # pyright: ignore[reportMissingTypeStubs]  # it is typed, but has no py.typed
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
)

from stratal.faces.neutonos.endpoint import Answer, Call, Endpoint, Outgoing, Parameter
from stratal.faces.neutonos.resources import resource
from stratal.faces.neutonos.wire import item, item_type
from stratal.kernel.errors import Invalid, StratalError, UnsupportedMedia
from stratal.storage import Download, DownloadFormat, Piece, Repetition, Storage, Upload

IMAGES: Final = "Images"
_OCTETS: Final = "application/octet-stream"
_FORM: Final = "multipart/form-data"
_MEDIA_TYPES: Final = {DownloadFormat.RAW: _OCTETS, DownloadFormat.QCOW2: "application/x-qemu-disk"}
_LONGEST_BOUNDARY: Final = 70
"""Characters, by RFC 2046."""

_STEP_BYTES: Final = 4 * 2**20
_CONTENT_RANGE: Final = re.compile(r"^bytes\s+([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19}|\*)$", re.ASCII)
_RANGE: Final = re.compile(r"^bytes=([0-9]{0,19})-([0-9]{0,19})$", re.ASCII)


def image_endpoints(storage: Storage) -> list[Endpoint]:
    images = storage.images
    kind = images.service.kind
    common: dict[str, Any] = {"resource_type": kind.name, "profile": kind.profile, "tag": IMAGES}

    async def upload(call: Call) -> Answer:
        form = _form(call)
        piece = _piece(call, whole_body=form is None)
        receiving = await _in_thread(images.intake.begin, call.access, call.id, piece)
        try:
            body = call.incoming.body()
            await _receive(receiving, body if form is None else _file_of(body, form))
            return item(await _in_thread(receiving.finish))
        finally:
            receiving.close()

    async def download(call: Call) -> Answer:
        format = _download_format(call)
        opened = await _in_thread(images.downloads.open, call.access, call.id, format)
        return _outgoing(opened, call.incoming.headers.get("range"))

    return [
        *resource(images.service, IMAGES),
        Endpoint(
            method="POST",
            path=f"/{kind.plural}/{{id}}/:upload",
            verb="upload",
            summary="Upload an image, or the next part of it",
            run=upload,
            answer=item_type(kind),
            status=HTTPStatus.ACCEPTED,
            streams_in=(_OCTETS, _FORM),
            parameters=(
                Parameter(
                    name="Content-Range",
                    place="header",
                    description="Which part of the image this is: bytes 0-1048575/4194304. None: all of it.",
                    schema={"type": "string"},
                ),
            ),
            **common,
        ),
        Endpoint(
            method="GET",
            path=f"/{kind.plural}/{{id}}/download",
            verb="download",
            summary="Download an image",
            run=download,
            answer=None,
            streams_out=tuple(_MEDIA_TYPES.values()),
            parameters=(
                Parameter(
                    name="format",
                    place="query",
                    description="What to make of it.",
                    schema={"type": "string", "enum": [each.value for each in DownloadFormat]},
                ),
                Parameter(
                    name="Range",
                    place="header",
                    description="A part of a raw image: bytes=0-1048575. The answer is a 206 then.",
                    schema={"type": "string"},
                ),
            ),
            **common,
        ),
    ]


# -- uploads -----------------------------------------------------------------------------------------------


async def _receive(upload: Upload | Repetition, body: AsyncIterator[bytes]) -> None:
    """Write the body as it arrives, in steps that are worth a thread; the next one comes in meanwhile."""
    waiting = bytearray()
    writing: asyncio.Future[None] | None = None
    try:
        async for data in body:
            waiting += data
            if len(waiting) >= _STEP_BYTES:
                if writing is not None:
                    await writing
                writing = asyncio.ensure_future(_in_thread(upload.write, bytes(waiting)))
                waiting.clear()
    except StratalError:
        if writing is not None:
            await writing
        await _in_thread(_keep, upload, bytes(waiting))
        raise
    if writing is not None:
        await writing
    if waiting:
        await _in_thread(upload.write, bytes(waiting))


def _keep(upload: Upload | Repetition, data: bytes) -> None:
    """What arrived before the client went away need not be sent again."""
    upload.write(data)
    upload.pause()


def _form(call: Call) -> str | None:
    """The boundary of a form, or None for a bare image. Raises UnsupportedMedia."""
    header = Message()
    header["content-type"] = call.incoming.headers.get("content-type", _OCTETS)
    media_type, boundary = header.get_content_type(), header.get_boundary()
    if media_type == _OCTETS:
        return None
    if media_type != _FORM or not boundary or len(boundary) > _LONGEST_BOUNDARY:
        raise _WrongMedia(media_type=media_type)
    return boundary


class _WrongMedia(UnsupportedMedia):
    remedy = "Send application/octet-stream, or multipart/form-data with one file in it."


def _piece(call: Call, *, whole_body: bool) -> Piece:
    length = call.incoming.headers.get("content-length")
    body_bytes = int(length) if whole_body and length is not None and length.isdecimal() else None
    text = call.incoming.headers.get("content-range")
    if text is None:
        return Piece(total=body_bytes)
    match = _CONTENT_RANGE.match(text.strip())
    if match is None:
        raise Invalid(field="content-range", reason="must be as bytes 0-1048575/4194304")
    first, last, total = int(match[1]), int(match[2]), None if match[3] == "*" else int(match[3])
    if last < first or (total is not None and last >= total):
        raise Invalid(field="content-range", reason="ends before it begins, or beyond the whole")
    if body_bytes is not None and body_bytes != last - first + 1:
        raise Invalid(
            field="content-range", reason=f"names {last - first + 1} bytes, and the body has {body_bytes}"
        )
    return Piece(first=first, last=last, total=total)


async def _file_of(body: AsyncIterator[bytes], boundary: str) -> AsyncIterator[bytes]:
    """The one file in a form. Raises Invalid for anything else."""
    files = 0
    try:
        with PushMultipartParser(boundary, max_segment_count=1, strict=True) as parser:
            async for data in body:
                for part in parser.parse(data):
                    if isinstance(part, MultipartSegment):
                        files += 1
                    elif part:
                        yield bytes(part)
    except MultipartError as error:
        raise Invalid(field="body", reason=f"is not a form with one file in it: {error}") from None
    if not files:
        raise Invalid(field="body", reason="is a form without a file")


# -- downloads ---------------------------------------------------------------------------------------------


def _download_format(call: Call) -> DownloadFormat:
    text = call.incoming.query.get("format", DownloadFormat.RAW.value)
    try:
        return DownloadFormat(text)
    except ValueError:
        known = " or ".join(each.value for each in DownloadFormat)
        raise Invalid(field="format", reason=f"must be {known}") from None


def _outgoing(download: Download, range_header: str | None) -> Outgoing:
    length = download.length
    name = f"{download.image.spec.name}.{download.format}"
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
    first, end, status = 0, length, HTTPStatus.OK
    if download.format is DownloadFormat.RAW:
        headers["accept-ranges"] = "bytes"
        wanted = _range(range_header, length)
        if wanted is not None:
            first, end = wanted
            status = HTTPStatus.PARTIAL_CONTENT
            headers["content-range"] = f"bytes {first}-{end - 1}/{length}"
            if first >= end:
                status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
                headers["content-range"] = f"bytes */{length}"
                first = end = 0
    return Outgoing(
        status=status,
        media_type=_MEDIA_TYPES[download.format],
        length=end - first,
        body=_sending(download, first, end),
        headers=headers,
    )


def _range(text: str | None, length: int) -> tuple[int, int] | None:
    """First byte, and the one after the last; None: all of it, also for what is not understood (RFC 9110)."""
    match = _RANGE.match(text.replace(" ", "")) if text else None
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        return max(0, length - int(match[2])), length
    first = int(match[1])
    end = min(length, int(match[2]) + 1) if match[2] else length
    if match[2] and int(match[2]) < first:
        return None
    return first, end


async def _sending(download: Download, first: int, end: int) -> AsyncIterator[bytes]:
    try:
        chunks = download.chunks(first, end)
        while chunk := await _in_thread(_next, chunks):
            yield chunk
    finally:
        await _in_thread(download.close)


def _next(chunks: Iterator[bytes]) -> bytes:
    return next(chunks, b"")


async def _in_thread(function: Any, *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, partial(function, *arguments))
