"""A server: what it is made of, in the order in which that starts and stops."""

import fcntl
import ipaddress
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.types import ASGIApp
from sqlalchemy.exc import ArgumentError

from stratal import cluster, compute, identity, network, operations, storage
from stratal.faces import evs, neutonos
from stratal.kernel import work
from stratal.kernel.access import Access, Reach
from stratal.kernel.chores import Chores
from stratal.kernel.database import Database
from stratal.kernel.engine import Engine, EngineSettings
from stratal.kernel.errors import Invalid, Unavailable
from stratal.kernel.kind import Catalogue
from stratal.kernel.listen import Listener
from stratal.kernel.logs import get_logger
from stratal.kernel.process_metrics import ProcessMetrics, QueueDepth
from stratal.kernel.settings import Settings
from stratal.kernel.transaction import Transaction
from stratal.migrations import upgrade
from stratal.server.hypervisor import ceph_cluster, hypervisor, short
from stratal.server.network_driver import network_driver
from stratal.server.storage_backends import storage_backends

log = get_logger(__name__)

FEATURES = ("identity", "topology", "storage", "network", "compute", "labels", "events", "audit")
CHORES_EVERY = timedelta(minutes=5)


def catalogue() -> Catalogue:
    """Every kind of this release."""
    return Catalogue(
        [
            *identity.KINDS,
            *cluster.KINDS,
            *network.KINDS,
            *storage.KINDS,
            *compute.KINDS,
            *operations.KINDS,
        ]
    )


class Server:
    """A Stratal server in this process, without its sockets. `start` once, `stop` once."""

    def __init__(self, settings: Settings, *, exclusive: bool = True) -> None:
        """With `exclusive`, refuses to be while another server uses the data directory."""
        self.settings = settings
        self.metrics = ProcessMetrics()
        self._stack = ExitStack()
        self._node_id: int | None = None
        if exclusive:
            self._prepare_data_directory()
        self.database = self._open_database()
        self._stack.callback(self.database.close)
        self.catalogue = catalogue()
        self.identity = identity.Identity(
            self.catalogue,
            self.database,
            identity.Verifiers(
                time_cost=settings.identity.argon2_time_cost,
                memory_cost_kib=settings.identity.argon2_memory_cost_kib,
                parallelism=settings.identity.argon2_parallelism,
            ),
            password_min_length=settings.identity.password_min_length,
            limits=self._login_limits,
            used_storage_mb=lambda tx, project_id: self.storage.quota.used_mb(tx, project_id),
        )
        self.cluster = cluster.Cluster(self.catalogue, node_name=settings.node_name)
        self._drivers = self._stack.enter_context(ExitStack())
        self.storage = storage.Storage(
            self.catalogue,
            self.database,
            storage_backends(settings, self._drivers),
            default_driver="simulated" if settings.simulate else "qcow2",
            images=storage.ImageSettings(
                spool=settings.data_directory / "uploads",
                import_directories=settings.storage.import_directories,
                max_bytes=settings.storage.image_max_bytes,
            ),
            use_of=compute.use_of,
            kept_disk_of=compute.kept_disk_of,
            project_changed=lambda tx, project_id: work.ask(tx, "project", project_id),
        )
        self._stack.callback(self.storage.close)
        self.network = network.Network(
            self.catalogue,
            self.database,
            network_driver(settings),
            nodes_of=self._network_nodes,
            guests_of=compute.guests_of,
            ports_of=compute.ports_of,
        )
        self._stack.callback(self.network.close)
        self.compute = compute.Compute(
            self.catalogue,
            self.database,
            self.storage,
            this_node=self._this_node,
            check_address=self.network.br_nets.check_address,
            decrypt=self.identity.decrypt,
        )
        self.guests = compute.Guests(
            self.database,
            self.storage,
            self.network.ports,
            hypervisor(settings, self._drivers),
            places=compute.Places(
                state=short(settings.data_directory / "machines"),
                channels=settings.compute.channels,
                console_address=settings.compute.console_address,
            ),
            ceph=ceph_cluster(settings),
            this_node=self._this_node,
            timing=compute.Timing(stop_grace=timedelta(seconds=settings.compute.stop_grace_seconds)),
        )
        self._stack.callback(self.guests.close)
        self.operations = operations.Operations(
            self.catalogue,
            reach_of=self._reach_of,
            count_hosts=self.cluster.nodes.count_live,
            features=FEATURES,
        )
        self.engine = Engine(
            self.database,
            self.catalogue,
            [
                *self.identity.reconcilers,
                *self.cluster.reconcilers,
                *self.storage.reconcilers,
                *self.network.reconcilers,
                *self.compute.reconcilers(self.guests.reconciler),
                *self.operations.reconcilers,
            ],
            owner=f"{settings.node_name}/{os.getpid()}/{self.database.entropy.token()[:8]}",
            settings=EngineSettings(
                workers=settings.engine.workers,
                lease=timedelta(seconds=settings.engine.lease_seconds),
                backoff_base=timedelta(seconds=settings.engine.backoff_base_seconds),
                backoff_cap=timedelta(seconds=settings.engine.backoff_cap_seconds),
                poll=timedelta(seconds=settings.engine.poll_seconds),
            ),
            observer=self.metrics,
        )
        self.database.on_work = self.engine.wake
        self.endpoints = neutonos.endpoints(
            self.identity, self.cluster, self.network, self.storage, self.compute, self.operations
        )

    def start(self) -> str | None:
        """Bring the database up to date and begin to reconcile.

        Returns the administrator's generated password when this is the first start, else None.
        """
        upgrade(self.database.engine)
        password = self.identity.bootstrap.prepare()
        node = self.database.write(
            lambda tx: self.cluster.nodes.register_this_node(
                tx, self.settings.node_name, _address(self.settings.server.host)
            )
        )
        # what guests may have open is known before storage tidies anything up
        self.guests.start()
        self.storage.start()
        self._node_id = node.id
        self.network.start(node.id)
        self.metrics.watch_queue(self._queue_depth)
        self.engine.start()
        self._stack.callback(self._stop_engine)
        if not self.database.is_sqlite:
            listener = Listener(self.database.url, self.engine.wake)
            self._stack.callback(listener.close)
        chores = Chores(self._chores(), every=CHORES_EVERY)
        chores.start()
        self._stack.callback(chores.stop)
        if self.settings.metrics_listen:
            self._stack.callback(self.metrics.serve(self.settings.metrics_listen).close)
        return password

    def stop(self) -> None:
        """Let what runs come to an end, and let go of everything."""
        self._stack.close()

    def application(self) -> ASGIApp:
        """The ASGI application."""
        server = self.settings.server
        dispatcher = neutonos.Dispatcher(
            self.database,
            self.identity,
            self.database.entropy,
            self.metrics,
            anonymous_user=self.settings.identity.anonymous_user,
            max_body_bytes=server.max_body_bytes,
            body_timeout_seconds=server.body_timeout_seconds,
        )
        document = neutonos.openapi_json(self.endpoints, neutonos.PREFIX)
        app = Litestar(
            neutonos.handlers(self.endpoints, dispatcher, document),
            exception_handlers={Exception: neutonos.exception_handler(dispatcher)},
            cors_config=_cors(server.cors_allow_origins),
            openapi_config=None,
            logging_config=None,
            request_max_body_size=None,  # the dispatcher counts, and answers in the face's dialect
        )
        return evs.Face(self._evs_services(), self.metrics, neutonos.CanonicalPaths(app))

    def _evs_services(self) -> evs.Services:
        settings = self.settings
        return evs.Services(
            database=self.database,
            identity=self.identity,
            storage=self.storage,
            compute=self.compute,
            region=settings.evs.region,
            zone=settings.evs.availability_zone,
            public_url=settings.evs.public_url,
            max_body_bytes=settings.server.max_body_bytes,
            body_timeout_seconds=settings.server.body_timeout_seconds,
            node_name=settings.node_name,
        )

    # -- what the domains need to know of each other -------------------------------------------------

    def _reach_of(self, access: Access, kind: str, verb: str) -> Reach:
        return identity.reach_of(access, kind, verb, self.catalogue[kind].profile)

    def _login_limits(self, transaction: Transaction) -> identity.LoginLimits:
        values = self.operations.settings.current(transaction)
        return identity.LoginLimits(
            session=timedelta(seconds=values.session_timeout),
            max_failures=values.max_login_failures,
            lockout=timedelta(seconds=values.login_lockout_seconds),
        )

    def _this_node(self, transaction: Transaction) -> int | None:
        """The node of this process, once that is known."""
        return self._node_id

    def _network_nodes(self, transaction: Transaction) -> list[int]:
        """The nodes that run guests, and so have networks."""
        columns = self.cluster.nodes.columns
        wanted = columns.role_sddc_server, columns.deletion_begin.is_(None)
        return [node.id for node in self.cluster.nodes.store.find(transaction, *wanted, labels=False)]

    def _chores(self) -> dict[str, Callable[[], object]]:
        return {
            "forget_expired_tokens": lambda: self.database.write(self.identity.tokens.forget_expired),
            "forget_used_signatures": lambda: self.database.write(
                self.identity.used_signatures.forget_expired
            ),
            "prune_journal": lambda: self.operations.retention.prune(self.database),
            **self.storage.chores,
            **self.network.chores,
            **self.compute.chores,
        }

    # -- the process ---------------------------------------------------------------------------------

    def _open_database(self) -> Database:
        try:
            return Database(self.settings.database_url.get_secret_value(), observer=self.metrics)
        except (ArgumentError, ImportError, ValueError) as error:  # the last for a port that is none
            # no chain: an error about a URL may show the password in it
            reason = f"is not the URL of a database that can be used here ({type(error).__name__})"
            raise Invalid(field="database_url", reason=reason) from None

    def _prepare_data_directory(self) -> None:
        directory = self.settings.data_directory
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock(directory / "stratal.lock")
        except OSError as error:
            raise Unavailable(
                reason=f"the data directory {directory} cannot be used: {error.strerror}"
            ) from error

    def _lock(self, path: Path) -> None:
        """SQLite and a directory of disks have one server at a time. The lock ends with the process."""
        handle = self._stack.enter_context(path.open("a"))
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable(reason=f"another Stratal server uses {path.parent}") from None

    def _stop_engine(self) -> None:
        if not self.engine.stop(timedelta(seconds=self.settings.engine.shutdown_seconds)):
            log.warning("engine_stopped_with_work_running")

    def _queue_depth(self) -> QueueDepth:
        counts = self.database.read(work.count)
        waiting = 0.0
        if counts.oldest_due_at is not None:
            waiting = max(0.0, (self.database.clock.now() - counts.oldest_due_at).total_seconds())
        return QueueDepth(due=counts.due, leased=counts.leased, idle=counts.idle, oldest_due_seconds=waiting)


def _address(host: str) -> str:
    """An address of this machine for others to see: that of `host`, unless it stands for all of them."""
    try:
        address = socket.gethostbyname(host)
        if ipaddress.ip_address(address).is_unspecified:
            address = socket.gethostbyname(socket.gethostname())
    except OSError:
        return "127.0.0.1"
    return address


def _cors(origins: tuple[str, ...]) -> CORSConfig | None:
    if not origins:
        return None
    return CORSConfig(
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["content-type", "if-match", "x-request-id", "x-sddc-token"],
        expose_headers=["etag", "x-request-id"],
    )
