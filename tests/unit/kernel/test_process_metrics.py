"""What a scrape of the process's own metrics shows, read over real HTTP with Prometheus's own parser."""

import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stratal.kernel.errors import Invalid, Unavailable
from stratal.kernel.process_metrics import MetricsListener, ProcessMetrics, QueueDepth


@pytest.fixture
def metrics() -> ProcessMetrics:
    return ProcessMetrics()


@pytest.fixture
def listener(metrics: ProcessMetrics) -> Iterator[MetricsListener]:
    listener = metrics.serve("127.0.0.1:0")
    yield listener
    listener.close()


def scrape(listener: MetricsListener) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{listener.port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def test_requests_are_counted_by_face_method_route_and_status_and_timed(
    metrics: ProcessMetrics, listener: MetricsListener
) -> None:
    labels = {"face": "zstack", "method": "GET", "route": "/volumes/{id}"}
    metrics.observe_request(**labels, status=200, seconds=0.02)
    metrics.observe_request(**labels, status=200, seconds=0.2)
    metrics.observe_request(**labels, status=404, seconds=0.0005)
    seen = scrape(listener)
    assert seen[key("stratal_requests_total", **labels, status="200")] == 2
    assert seen[key("stratal_requests_total", **labels, status="404")] == 1
    assert seen[key("stratal_request_duration_seconds_count", **labels)] == 3
    assert seen[key("stratal_request_duration_seconds_sum", **labels)] == pytest.approx(0.2205)
    assert seen[key("stratal_request_duration_seconds_bucket", **labels, le="0.025")] == 2


def test_methods_that_a_client_makes_up_share_one_series(
    metrics: ProcessMetrics, listener: MetricsListener
) -> None:
    for method in ("FOO", "BAR"):
        metrics.observe_request(face="evs", method=method, route="unknown", status=405, seconds=0.001)
    labels = {"face": "evs", "method": "other", "route": "unknown", "status": "405"}
    assert scrape(listener)[key("stratal_requests_total", **labels)] == 2


def test_reconciles_are_counted_by_kind_and_outcome_and_timed(
    metrics: ProcessMetrics, listener: MetricsListener
) -> None:
    metrics.observe_reconcile(kind="volume", outcome="done", seconds=2)
    metrics.observe_reconcile(kind="volume", outcome="failed", seconds=0.01)
    seen = scrape(listener)
    assert seen[key("stratal_reconciles_total", kind="volume", outcome="done")] == 1
    assert seen[key("stratal_reconciles_total", kind="volume", outcome="failed")] == 1
    assert seen[key("stratal_reconcile_duration_seconds_count", kind="volume")] == 2
    assert seen[key("stratal_reconcile_duration_seconds_bucket", kind="volume", le="1.0")] == 1


def test_a_commit_records_its_jobs_and_its_time(metrics: ProcessMetrics, listener: MetricsListener) -> None:
    metrics.observe_commit(jobs=12, seconds=0.004)
    seen = scrape(listener)
    assert seen[key("stratal_commit_jobs_sum")] == 12
    assert seen[key("stratal_commit_jobs_bucket", le="8.0")] == 0
    assert seen[key("stratal_commit_jobs_bucket", le="16.0")] == 1
    assert seen[key("stratal_database_write_duration_seconds_sum")] == pytest.approx(0.004)
    assert seen[key("stratal_database_write_duration_seconds_count")] == 1


def test_the_queue_is_asked_once_at_each_scrape(metrics: ProcessMetrics, listener: MetricsListener) -> None:
    calls: list[int] = []

    def depth() -> QueueDepth:
        calls.append(1)
        return QueueDepth(due=len(calls), leased=2, idle=3, oldest_due_seconds=4.5)

    metrics.watch_queue(depth)
    assert calls == []
    first, second = scrape(listener), scrape(listener)
    assert first[key("stratal_work_rows", state="due")] == 1
    assert second[key("stratal_work_rows", state="due")] == 2
    assert second[key("stratal_work_rows", state="leased")] == 2
    assert second[key("stratal_work_rows", state="idle")] == 3
    assert second[key("stratal_work_oldest_due_seconds")] == 4.5


def test_a_queue_that_cannot_be_read_leaves_the_other_metrics_readable(
    metrics: ProcessMetrics, listener: MetricsListener
) -> None:
    def depth() -> QueueDepth:
        raise RuntimeError("the database is gone")

    metrics.watch_queue(depth)
    metrics.observe_commit(jobs=1, seconds=0.001)
    seen = scrape(listener)
    assert seen[key("stratal_commit_jobs_count")] == 1
    assert not any(name == "stratal_work_rows" for name, _ in seen)


def test_the_process_and_its_platform_are_shown(listener: MetricsListener) -> None:
    seen = scrape(listener)
    assert seen[key("process_resident_memory_bytes")] > 1_000_000
    assert any(name == "python_info" for name, _ in seen)


def test_two_processes_metrics_in_one_interpreter_do_not_meet(listener: MetricsListener) -> None:
    ProcessMetrics().observe_commit(jobs=1, seconds=0.001)
    assert scrape(listener)[key("stratal_commit_jobs_count")] == 0


def test_a_closed_listener_frees_its_port_and_may_be_closed_again(metrics: ProcessMetrics) -> None:
    first = metrics.serve("127.0.0.1:0")
    first.close()
    first.close()
    second = metrics.serve(f"127.0.0.1:{first.port}")
    assert second.port == first.port
    second.close()


@pytest.mark.parametrize(
    "listen", ["", "6013", ":6013", "127.0.0.1:port", "127.0.0.1:70000", "no such host:1"]
)
def test_what_is_no_listen_address_is_invalid(metrics: ProcessMetrics, listen: str) -> None:
    with pytest.raises(Invalid) as caught:
        metrics.serve(listen)
    assert caught.value.fields["field"] == "metrics_listen"


def test_a_port_that_is_taken_is_unavailable(metrics: ProcessMetrics, listener: MetricsListener) -> None:
    with pytest.raises(Unavailable, match="in use"):
        metrics.serve(f"127.0.0.1:{listener.port}")
