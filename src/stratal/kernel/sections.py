"""The sections of the settings: one for each part of a process. Called by `settings`, which has the tree.

The docstring of a field is its comment in the configuration file that `stratal config` prints.
"""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode

PositiveSeconds = Annotated[float, Field(gt=0)]
PositiveCount = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """What all sections have in common."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        # "" stands for "none" or "derived" in a file, and is resolved by the validators.
        validate_default=True,
        use_attribute_docstrings=True,
        # An offending value may be a database URL with its password.
        hide_input_in_errors=True,
    )


class ServerSettings(Section):
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """Address that the API listens on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 6012
    """Port that the API listens on; 0 takes any free one."""
    tls_certificate: Path | None = None
    """PEM file with the certificate chain. Empty: plain HTTP. Given together with tls_key."""
    tls_key: Path | None = None
    """PEM file with the certificate's private key."""
    max_body_bytes: PositiveCount = 1024 * 1024
    """Largest request body that is read, in bytes; a larger one is refused."""
    body_timeout_seconds: PositiveSeconds = 30.0
    """Longest time that the body of a request may take to arrive."""
    cors_allow_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins (https://console.example.org) whose pages may call the API from a browser, or "*" for all.
    Empty: none. In the environment: separated by commas."""

    @field_validator("cors_allow_origins", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        return (
            [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        )

    @field_validator("cors_allow_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            bare = f"{parts.scheme}://{parts.netloc}" == origin.lower() and parts.netloc
            if origin != "*" and not (bare and parts.scheme in ("http", "https")):
                raise ValueError(f"{origin!r} is not an origin such as https://console.example.org")
        return origins

    @field_validator("tls_certificate", "tls_key", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("tls_certificate", "tls_key")
    @classmethod
    def _check_tls_file(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError(f"there is no file {path}")
        return path

    @field_validator("tls_key")
    @classmethod
    def _both_or_neither(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if "tls_certificate" in info.data and (key is None) != (info.data["tls_certificate"] is None):
            raise ValueError("tls_certificate and tls_key are given together or not at all")
        return key


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is written: debug, info, warning or error."""
    format: Literal["json", "console"] = "json"
    """json: one object per line, for machines. console: for a person at a terminal."""


class EngineSettings(Section):
    workers: Annotated[int, Field(ge=1, le=1024)] = 8
    """Resources that are reconciled at the same time."""
    lease_seconds: PositiveSeconds = 30.0
    """How long a worker keeps a resource without a sign of life before another may take it."""
    backoff_base_seconds: PositiveSeconds = 0.5
    """Wait before the first retry of a failed step; each further wait doubles."""
    backoff_cap_seconds: PositiveSeconds = 60.0
    """Longest wait between two retries. At least backoff_base_seconds."""
    shutdown_seconds: Annotated[float, Field(ge=0)] = 20.0
    """Time that running steps are given to end when the process is told to stop."""
    poll_seconds: PositiveSeconds = 5.0
    """How often due work is looked for when no wake-up arrives."""

    @field_validator("backoff_cap_seconds")
    @classmethod
    def _not_below_base(cls, cap: float, info: ValidationInfo) -> float:
        if cap < info.data.get("backoff_base_seconds", cap):
            raise ValueError("must not be less than backoff_base_seconds")
        return cap


class IdentitySettings(Section):
    anonymous_user: str = ""
    """Name of the user that requests without a token act as. Empty: they are refused."""
    password_min_length: Annotated[int, Field(ge=1, le=1024)] = 8
    """Fewest characters of a new password."""
    argon2_time_cost: PositiveCount = 3
    """Passes over the memory for one password verification (RFC 9106)."""
    argon2_parallelism: Annotated[int, Field(ge=1, le=64)] = 1
    """Lanes of one password verification."""
    argon2_memory_cost_kib: PositiveCount = 65536
    """Memory of one password verification, in KiB; at least 8 for each lane. Two run at the same time."""

    @field_validator("argon2_memory_cost_kib")
    @classmethod
    def _eight_per_lane(cls, memory: int, info: ValidationInfo) -> int:
        if memory < 8 * info.data.get("argon2_parallelism", 1):
            raise ValueError("must be at least 8 for each lane of argon2_parallelism")
        return memory


class StorageSettings(Section):
    directory: Path | None = None
    """Directory for the disks of the first storage policy. Empty: layers in data_directory."""
    allowed_directories: Annotated[tuple[Path, ...], NoDecode] = ()
    """Further directories in or below which policies may keep disks. In the environment: separated by
    commas."""
    ceph_conf: Path = Path("/etc/ceph/ceph.conf")
    """Configuration of the Ceph cluster that policies of the driver rbd use; names its keyring too."""
    ceph_user: Annotated[str, Field(min_length=1)] = "admin"
    """Ceph's name for this user, without "client."; needs profile rbd for mon, mgr and osd."""
    import_directories: Annotated[tuple[Path, ...], NoDecode] = ()
    """Directories from which system administrators may take in files as images; nobody else should be able
    to write to them. In the environment: separated by commas."""
    image_max_bytes: PositiveCount = 4 * 2**40
    """Largest image that may be uploaded, in bytes: the file, and the disk that is in it."""

    @field_validator("directory", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("allowed_directories", "import_directories", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        return (
            [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        )

    @field_validator("directory", "allowed_directories", "import_directories")
    @classmethod
    def _absolute(cls, value: Path | tuple[Path, ...] | None) -> Path | tuple[Path, ...] | None:
        # Backing chains name their files by absolute path.
        paths = value if isinstance(value, tuple) else (value,)
        if any(path is not None and not path.is_absolute() for path in paths):
            raise ValueError("must be an absolute path")
        return value


class EvsSettings(Section):
    public_url: Annotated[str, Field(pattern=r"^(https?://[^/\s]+)?$")] = ""
    """Address of the API for clients of OpenStack and EVS, as https://cloud.example.org. Empty: whatever a
    request was sent to; needed behind a proxy that ends TLS."""
    region: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = "RegionOne"
    """Region that the catalogue names."""
    availability_zone: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = "nova"
    """Availability zone that volumes are in."""


class ComputeSettings(Section):
    libvirt_uri: str = ""
    """libvirt to use, as qemu:///system. Empty: the host's where one answers, else one that Stratal starts
    for itself."""
    libvirt_directory: Path | None = None
    """Where a libvirt of its own keeps what it needs; a short path. Empty: libvirt in data_directory."""
    console_address: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """Address that consoles of guests listen at."""
    channels: Annotated[tuple[str, ...], NoDecode] = ()
    """Names of ports (com.example.monitor.0) that every guest finds under /dev/virtio-ports; programs of this
    host reach each as a socket in machines in data_directory. In the environment: separated by commas."""
    stop_grace_seconds: PositiveSeconds = 60.0
    """Time that a guest is given to shut down before its plug is pulled."""

    @field_validator("libvirt_directory", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("channels", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        return (
            [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        )

    @field_validator("libvirt_directory")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_absolute():
            raise ValueError("must be an absolute path")
        return path


class NetworkSettings(Section):
    run_directory: Path = Path("/run/stratal")
    """Where DHCP services keep their leases; not only root must be able to read there."""
    interfaces: Annotated[tuple[str, ...], NoDecode] = ()
    """Interfaces that are offered as network cards though they are no hardware, such as a VXLAN device. In
    the environment: separated by commas."""

    @field_validator("interfaces", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        return (
            [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        )

    @field_validator("run_directory")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        if not path.is_absolute():
            raise ValueError("must be an absolute path")
        return path
