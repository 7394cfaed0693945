"""Prometheus metrics of the Stratal process itself, on a listener of their own.

`server.py` makes one `ProcessMetrics` and hands it to the faces' middleware (`observe_request`), the
reconcile loop (`observe_reconcile`, `watch_queue`) and the database writer (`observe_commit`). Metrics of
guests, disks and nodes are a different matter and live in operations/.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    Metric,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stratal.kernel.errors import Invalid, Unavailable
from stratal.kernel.logs import get_logger
from stratal.kernel.settings import parse_listen

_log = get_logger(__name__)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# From one SQLite commit on an SSD (about 0.1 ms) to a request at its time limit.
_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30)
_WRITE_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5)
# A step may copy or merge data, which takes minutes.
_RECONCILE_SECONDS = (0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 1800)
_BATCH_JOBS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, kw_only=True)
class QueueDepth:
    """The work rows at one moment."""

    due: int
    """Rows whose time has come and that nobody holds."""
    leased: int
    """Rows that a worker holds."""
    idle: int
    """Rows that wait for their time."""
    oldest_due_seconds: float
    """How long the longest waiting due row has been due; 0 when there is none."""


class MetricsListener:
    """A running listener. `close` stops it and frees its port; closing again does nothing."""

    def __init__(self, server: WSGIServer, thread: threading.Thread) -> None:
        self._server = server
        self._thread = thread
        self.port: int = server.server_port

    def close(self) -> None:
        if self._thread.is_alive():
            ending = threading.Thread(target=self._server.shutdown, name="metrics-end")
            ending.start()
            # the listener looks up twice a second, or when somebody calls
            with contextlib.suppress(OSError):
                socket.create_connection(self._server.socket.getsockname()[:2], timeout=1).close()
            ending.join()
            self._thread.join()
            self._server.server_close()


class ProcessMetrics:
    """All metrics of one process, in a registry of their own. Methods are thread-safe and quick."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "stratal_requests", "API requests", ("face", "method", "route", "status"), registry=registry
        )
        self._request_seconds = Histogram(
            "stratal_request_duration_seconds",
            "Time from a request's arrival to the end of its answer",
            ("face", "method", "route"),
            buckets=_REQUEST_SECONDS,
            registry=registry,
        )
        self._reconciles = Counter(
            "stratal_reconciles", "Passes of the reconciler", ("kind", "outcome"), registry=registry
        )
        self._reconcile_seconds = Histogram(
            "stratal_reconcile_duration_seconds",
            "Time of one pass of the reconciler",
            ("kind",),
            buckets=_RECONCILE_SECONDS,
            registry=registry,
        )
        self._commit_jobs = Histogram(
            "stratal_commit_jobs", "Jobs in one group commit", buckets=_BATCH_JOBS, registry=registry
        )
        self._commit_seconds = Histogram(
            "stratal_database_write_duration_seconds",
            "Time of one write transaction, commit included",
            buckets=_WRITE_SECONDS,
            registry=registry,
        )
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)

    def observe_request(self, *, face: str, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request. `route` is the template (`/volumes/{id}`), never the path asked for."""
        if (
            method not in _METHODS
        ):  # a client chooses this text, and must not choose how many series there are
            method = "other"
        self._requests.labels(face, method, route, str(status)).inc()
        self._request_seconds.labels(face, method, route).observe(seconds)

    def observe_reconcile(self, *, kind: str, outcome: str, seconds: float) -> None:
        """Count one pass over a resource of `kind`; `outcome` is one of the loop's few words."""
        self._reconciles.labels(kind, outcome).inc()
        self._reconcile_seconds.labels(kind).observe(seconds)

    def observe_commit(self, *, jobs: int, seconds: float) -> None:
        """Record one write transaction that carried `jobs` jobs."""
        self._commit_jobs.observe(jobs)
        self._commit_seconds.observe(seconds)

    def watch_queue(self, depth: Callable[[], QueueDepth]) -> None:
        """Have `depth` called at each scrape, in the listener's thread. Call once."""
        self.registry.register(_QueueCollector(depth))

    def serve(self, listen: str) -> MetricsListener:
        """Answer scrapes at `listen` (host:port) until the result is closed.

        Raises `Invalid` when that is no address, `Unavailable` when it cannot be had.
        """
        try:
            host, port = parse_listen(listen)
            return MetricsListener(*start_http_server(port, host, self.registry))
        except (ValueError, socket.gaierror) as error:
            raise Invalid(field="metrics_listen", reason=str(error)) from error
        except OSError as error:
            raise Unavailable(reason=f"metrics cannot listen at {listen}: {error.strerror}") from error


class _QueueCollector(Collector):
    def __init__(self, depth: Callable[[], QueueDepth]) -> None:
        self._depth = depth

    def collect(self) -> Iterator[Metric]:
        try:
            depth = self._depth()
        except Exception:
            # A database that does not answer is when the other metrics are needed most.
            _log.warning("queue_depth_unknown", exc_info=True)
            return
        rows = GaugeMetricFamily("stratal_work_rows", "Work rows by state", labels=("state",))
        rows.add_metric(("due",), depth.due)
        rows.add_metric(("leased",), depth.leased)
        rows.add_metric(("idle",), depth.idle)
        yield rows
        yield GaugeMetricFamily(
            "stratal_work_oldest_due_seconds",
            "How long the longest waiting due work row has been due",
            value=depth.oldest_due_seconds,
        )
