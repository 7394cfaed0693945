"""Directories: whether they can be used, how full they are, who may read them. And the files of TLS."""

import os
import shutil
import ssl
import stat
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stratal.cli.client.sizes import shown_bytes
from stratal.cli.doctor.finding import Finding
from stratal.kernel.settings import Settings

_LEAST_FREE = 2**30
_FULL = 0.9
_SOON = timedelta(days=14)


def examine(settings: Settings) -> Iterator[Finding]:
    yield _directory("data directory", settings.data_directory, private=True)
    if not settings.simulate:
        yield _directory("disks", settings.storage_directory, private=False)
        for each in settings.storage.allowed_directories:
            yield _directory("disks", each, private=False, must_be_there=True)
        for each in settings.storage.import_directories:
            yield _imports(each)
    if settings.server.tls_certificate and settings.server.tls_key:
        yield _tls(settings.server.tls_certificate, settings.server.tls_key)
    elif settings.server.host not in ("127.0.0.1", "::1", "localhost"):
        remedy = "Set server.tls_certificate and server.tls_key, or put a proxy in front."
        yield Finding.poor("TLS", "the API is open to others, and not encrypted", remedy)


def _directory(subject: str, path: Path, *, private: bool, must_be_there: bool = False) -> Finding:
    if path.exists() and not path.is_dir():
        return Finding.bad(subject, f"{path} is no directory", "Move it out of the way.")
    if must_be_there and not path.is_dir():
        return Finding.bad(
            subject, f"there is no directory {path}", "Make it, or take it out of the settings."
        )
    there = path
    while not there.exists():  # it will be made at the first start
        there = there.parent
    if not os.access(there, os.W_OK | os.X_OK):
        remedy = f"Give this user {there}, or choose another directory."
        return Finding.bad(subject, f"{there} may not be written to", remedy)
    usage = shutil.disk_usage(there)
    words = f"{path}{'' if path.exists() else ' (will be made)'}, {shown_bytes(usage.free)} free"
    problem = _write_and_lock(there)
    if problem:
        return Finding.bad(subject, f"{words}; {problem}", "Use a local file system, such as ext4 or xfs.")
    if usage.free < _LEAST_FREE or usage.used > usage.total * _FULL:
        return Finding.poor(subject, words, "Make room: when it is full, nothing can be written any more.")
    if private and path.is_dir() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        return Finding.poor(subject, f"{words}; others may look into it", f"chmod 700 {path}")
    return Finding.good(subject, words)


def _write_and_lock(directory: Path) -> str:
    """What is wrong with how the file system keeps and locks files, if anything is."""
    import fcntl

    try:
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".stratal-doctor-") as file:
            file.write(b"0" * 4096)
            file.flush()
            os.fsync(file.fileno())
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return f"a file cannot be written, made durable and locked there ({error.strerror})"
    return ""


def _imports(path: Path) -> Finding:
    subject = "imports"
    if not path.is_dir():
        return Finding.poor(
            subject, f"there is no directory {path}", "Make it, or take it out of the settings."
        )
    if path.stat().st_mode & stat.S_IWOTH:
        return Finding.poor(subject, f"everybody may write to {path}", f"chmod o-w {path}")
    return Finding.good(subject, str(path))


def _tls(certificate: Path, key: Path) -> Finding:
    from cryptography import x509

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: b"")
        ends = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        remedy = "Both must be PEM, without a password, and a pair."
        return Finding.bad("TLS", f"{certificate} and {key} cannot be used: {error}", remedy)
    words = f"the certificate is good until {ends:%Y-%m-%d}"
    if ends <= datetime.now(UTC):
        return Finding.bad("TLS", f"the certificate ended on {ends:%Y-%m-%d}", "Get a new one.")
    if ends - datetime.now(UTC) < _SOON:
        return Finding.poor("TLS", words, "Get a new one soon.")
    return Finding.good("TLS", words)
