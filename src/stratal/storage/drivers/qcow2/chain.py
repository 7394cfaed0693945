"""What the files of a place say: which layers there are, and what hangs on what.

Pure looking: a few hundred bytes of each header, no process, no lock. A file whose layer was absorbed, and a
raw file that was taken over, belong to the layer that hangs on them; they count as hops and not as layers.

A hypervisor that merges a layer *down* while a guest runs names the file of the layer below in the one above.
By then that file is absorbed, and its mark names the heir: whoever hangs on it, but for the heir, hangs on
the heir.
"""

import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stratal.storage.drivers.contract import LayerId, LayerInfo
from stratal.storage.drivers.errors import BackendUnavailable, LayerDamaged, LayerNotFound
from stratal.storage.drivers.qcow2.place import ABSORBED, ALIAS, LAYER, NEW, RAW, Place, split
from stratal.storage.images.facts import ImageRefused
from stratal.storage.images.qcow2 import Qcow2Header, read_header
from stratal.storage.images.reading import open_image

WRITABLE = 0o664
FROZEN = 0o444
FROZEN_IN_MERGE = 0o644
"""Only the group's right to write, which hypervisors need, makes a layer writable; the owner's does not."""

_ATTEMPTS = 20
_DEEPEST = 100_000


@dataclass(frozen=True, kw_only=True)
class LayerFile:
    """One file of a chain."""

    path: Path
    #: whose name the file carries
    layer: LayerId
    #: serves the layer above it and is none itself
    private: bool
    format: str
    size_bytes: int
    cluster_bytes: int
    frozen: bool
    #: a name within the place, of the file that it hangs on as a layer
    backing: str | None
    #: the name as it stands in the header; another one only where that is an absorbed file with an heir
    named: str | None

    @property
    def mode(self) -> int:
        return FROZEN if self.frozen else WRITABLE


class Chains:
    """Looks at the files of one place."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def observe(self, layer: LayerId) -> LayerInfo | None:
        """The layer, from its own files and a look whether the next one is there. Raises LayerDamaged."""
        files = self._found(layer, self._own_and_next)
        return None if files is None else describe(files)

    def head(self, layer: LayerId) -> LayerFile:
        """The layer's own file, without what is below. Raises LayerNotFound."""
        name = self._place.path(layer).name
        try:
            file = self.load(name)
        except FileNotFoundError:
            file = None
        if file is None or file.private:
            self._place.require()
            raise self._missing(layer)
        return file

    def chain(self, layer: LayerId) -> list[LayerFile]:
        """The layer's file and all below it. Raises LayerNotFound, LayerDamaged."""
        files = self.find(layer)
        if files is None:
            raise self._missing(layer)
        return files

    def above(self, layer: LayerId, ancestor: LayerId | None) -> list[LayerFile] | None:
        """The layer's file and those below it, without the ancestor's and what lies below that; all of them
        without an ancestor. None where it is none. Raises LayerNotFound, LayerDamaged."""
        if ancestor is None:
            return self.chain(layer)
        files = self._found(layer, lambda name: self._walk(name, until=ancestor))
        if files is None:
            raise self._missing(layer)
        return None if (at := position(files, ancestor)) is None else files[:at]

    def own(self, layer: LayerId) -> list[LayerFile]:
        """The files that make up the layer, without those below. Raises LayerNotFound, LayerDamaged."""
        files = self._found(layer, self._own_and_next)
        if files is None:
            raise self._missing(layer)
        return own_files(files)

    def find(self, layer: LayerId) -> list[LayerFile] | None:
        """As `chain`, but None for what is not there or is absorbed."""
        return self._found(layer, self._walk)

    def _missing(self, layer: LayerId) -> LayerNotFound:
        return LayerNotFound(layer=layer, id=layer, kind="layer", place=self._place)

    def _found(self, layer: LayerId, walk: Callable[[str], list[LayerFile]]) -> list[LayerFile] | None:
        path = self._place.path(layer)
        missing = ""
        # A merge may swap files between two looks; then everything is looked at again.
        for _ in range(_ATTEMPTS):
            if not path.exists() or path.with_suffix(ABSORBED).exists():
                self._place.require()
                return None
            try:
                return walk(path.name)
            except FileNotFoundError as error:
                missing = str(error.filename)
        self._place.require()
        raise LayerDamaged(layer=layer, reason=f"{missing}, which it needs, is missing")

    def survey(self) -> tuple[dict[LayerId, LayerInfo], tuple[str, ...]]:
        """All layers, and the names of all leftovers."""
        names = self._place.names()
        files = self._load_all(names)
        used = {file.backing for file in files.values()}
        layers: dict[LayerId, LayerInfo] = {}
        leftovers: list[str] = []
        for name in sorted(names):
            layer, suffix = split(name) or ("", "")
            if suffix == LAYER:
                info = self._described(LayerId(layer), files)
                if info is not None:
                    layers[info.layer] = info
            elif suffix in (NEW, ABSORBED) or (suffix == RAW and name not in used):
                leftovers.append(name)
        return layers, tuple(leftovers)

    def children(self, layer: LayerId) -> list[LayerId]:
        """The layers that hang on this one, through private files too. Reads one page of every layer."""
        below = self.backings(self._place.names())
        found: list[LayerId] = []
        names = [self._place.path(layer).name]
        while names:
            for child in below.get(names.pop(), []):
                if self._place.path(child, ABSORBED).exists():
                    names.append(self._place.path(child).name)
                else:
                    found.append(child)
        return found

    def backings(self, names: list[str]) -> dict[str, list[LayerId]]:
        """For each file that is a backing file: the layers whose files hang on it, private ones included."""
        found: dict[str, list[LayerId]] = defaultdict(list)
        for file in self._load_all(names).values():
            if file.backing is not None:
                found[file.backing].append(file.layer)
        return found

    def naming(self, name: str) -> list[LayerFile]:
        """The files whose headers name this one, though they hang on its heir."""
        files = self._load_all(self._place.names()).values()
        return [file for file in files if file.named == name and file.backing != name]

    def _described(self, layer: LayerId, files: Mapping[str, LayerFile]) -> LayerInfo | None:
        """As `observe`, from files that were loaded before; looks again where a merge has swapped some."""
        head = files.get(self._place.path(layer).name)
        if head is not None and head.private:
            return None
        chain = [head]
        while (
            (last := chain[-1]) is not None and last.backing is not None and (len(chain) == 1 or last.private)
        ):
            chain.append(files.get(last.backing))
        found = [file for file in chain if file is not None]
        return describe(found) if len(found) == len(chain) else self.observe(layer)

    def _load_all(self, names: Iterable[str]) -> dict[str, LayerFile]:
        """Every file that is a layer or a part of one."""
        files: dict[str, LayerFile] = {}
        for name in names:
            layer, suffix = split(name) or ("", "")
            if suffix in (LAYER, RAW) and not self.is_alias(LayerId(layer)):
                with suppress(FileNotFoundError):  # merged or removed since it was listed
                    files[name] = self.load(name)
        return files

    def _own_and_next(self, name: str) -> list[LayerFile]:
        files = [self.load(name)]
        while files[-1].backing is not None and (len(files) == 1 or files[-1].private):
            files.append(self.load(files[-1].backing))
        return files

    def _walk(self, name: str, until: LayerId | None = None) -> list[LayerFile]:
        files: list[LayerFile] = []
        following: str | None = name
        while following is not None and (until is None or position(files[-1:], until) is None):
            if len(files) > _DEEPEST:
                raise LayerDamaged(layer=files[0].layer, reason="its chain does not end")
            files.append(self.load(following))
            following = files[-1].backing
        return files

    def load(self, name: str) -> LayerFile:
        """A file of the place. Raises FileNotFoundError, LayerDamaged, BackendUnavailable."""
        parts = split(name)
        assert parts is not None, name
        layer, suffix = parts
        path = self._place.directory / name
        try:
            status = os.lstat(path)
            if suffix == RAW:
                size, named, private, format = -(-status.st_size // 512) * 512, None, True, "raw"
                cluster_bytes = 512
            else:
                with open_image(path, field=name) as image:
                    header = read_header(image)
                size, named = header.size_bytes, self._named(layer, header)
                cluster_bytes = header.cluster_bytes
                private, format = path.with_suffix(ABSORBED).exists(), "qcow2"
        except FileNotFoundError:
            raise
        except OSError as error:
            raise BackendUnavailable(place=self._place, reason=f"{name}: {error.strerror}") from error
        except ImageRefused as error:
            raise LayerDamaged(layer=layer, reason=error.message) from error
        return LayerFile(
            path=path,
            layer=layer,
            private=private,
            format=format,
            size_bytes=size,
            cluster_bytes=cluster_bytes,
            frozen=private or not status.st_mode & stat.S_IWGRP,
            backing=named and self._inherited(layer, named),
            named=named,
        )

    def heir(self, layer: LayerId) -> LayerId | None:
        """The layer that an absorbed one is a part of, where its mark says so."""
        return LayerId(self._mark(layer).removeprefix(ALIAS)) or None

    def is_alias(self, layer: LayerId) -> bool:
        """Whether the name of an absorbed layer is no more than what guests and headers know its heir by."""
        return self._mark(layer).startswith(ALIAS)

    def _mark(self, layer: LayerId) -> str:
        try:
            return self._place.path(layer, ABSORBED).read_text()
        except FileNotFoundError:
            return ""

    def _inherited(self, layer: LayerId, named: str) -> str:
        """The file that one hangs on which names this one."""
        while (parts := split(named)) is not None and parts[1] == LAYER:
            heir = self.heir(parts[0])
            if heir is None or heir == layer or not self._place.path(heir).exists():
                break
            named = self._place.path(heir).name
        return named

    def _named(self, layer: LayerId, header: Qcow2Header) -> str | None:
        if header.backing_name is None:
            return None
        directory, _, name = header.backing_name.rpartition("/")
        parts = split(name)
        formats = {LAYER: "qcow2", RAW: "raw"}
        if directory != str(self._place) or parts is None or formats.get(parts[1]) != header.backing_format:
            raise LayerDamaged(
                layer=layer, reason=f"it names a foreign backing file, {header.backing_name!r}"
            )
        return name


def describe(files: list[LayerFile]) -> LayerInfo:
    """The layer that a chain's first file is."""
    parent = next((file.layer for file in files[1:] if not file.private), None)
    return LayerInfo(
        layer=files[0].layer,
        parent=parent,
        frozen=files[0].frozen,
        size_bytes=files[0].size_bytes,
    )


def own_files(files: list[LayerFile]) -> list[LayerFile]:
    """The files that make up the chain's first layer: its own, and the private ones it hangs on."""
    own = files[:1]
    for file in files[1:]:
        if not file.private:
            break
        own.append(file)
    return own


def position(files: list[LayerFile], layer: LayerId) -> int | None:
    """Where in a chain a layer's own file is."""
    found = (at for at, file in enumerate(files) if file.layer == layer and not file.private)
    return next(found, None)
