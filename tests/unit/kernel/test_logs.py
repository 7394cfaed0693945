"""One line per event, the same from every logger, and no secret in it."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from stratal.kernel.logs import configure_logs, get_logger


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def events(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_line_with_level_logger_time_and_fields(stream: io.StringIO) -> None:
    configure_logs("info", "json", stream)
    get_logger("stratal.storage").warning("volume_full", kind="volume", id=7, note="two\nlines")
    assert stream.getvalue().count("\n") == 1
    (event,) = events(stream)
    stamp = datetime.fromisoformat(str(event.pop("timestamp")))
    assert event == {
        "event": "volume_full",
        "level": "warning",
        "logger": "stratal.storage",
        "kind": "volume",
        "id": 7,
        "note": "two\nlines",
    }
    assert stamp.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - stamp) < timedelta(minutes=1)


def test_what_is_below_the_level_is_not_written(stream: io.StringIO) -> None:
    configure_logs("warning", "json", stream)
    get_logger("stratal").info("quiet")
    logging.getLogger("uvicorn.error").info("quiet")
    get_logger("stratal").error("loud")
    logging.getLogger("uvicorn.error").error("loud")
    assert [event["event"] for event in events(stream)] == ["loud", "loud"]


def test_every_level_has_its_method(stream: io.StringIO) -> None:
    configure_logs("debug", "json", stream)
    log = get_logger("stratal")
    for method in (log.debug, log.info, log.warning, log.error, log.critical):
        method("said")
    assert [event["level"] for event in events(stream)] == ["debug", "info", "warning", "error", "critical"]


def test_the_request_id_of_the_context_is_on_stratals_and_the_libraries_lines(stream: io.StringIO) -> None:
    configure_logs("info", "json", stream)
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        get_logger("stratal").info("ours")
        logging.getLogger("alembic").info("theirs")
    get_logger("stratal").info("later")
    assert [event.get("request_id") for event in events(stream)] == ["r-1", "r-1", None]


def test_a_library_that_brought_its_own_handler_writes_the_same_lines_and_only_once(
    stream: io.StringIO,
) -> None:
    own = io.StringIO()
    library = logging.getLogger("uvicorn.access")
    library.addHandler(logging.StreamHandler(own))
    library.propagate = False
    configure_logs("info", "json", stream)
    library.info('%s - "%s" %d', "127.0.0.1", "GET / HTTP/1.1", 200)
    assert own.getvalue() == ""
    (event,) = events(stream)
    assert event["event"] == '127.0.0.1 - "GET / HTTP/1.1" 200'
    assert (event["level"], event["logger"]) == ("info", "uvicorn.access")
    assert "timestamp" in event


def test_configuring_again_replaces_the_route_of_the_libraries(stream: io.StringIO) -> None:
    first = io.StringIO()
    configure_logs("info", "json", first)
    configure_logs("info", "json", stream)
    logging.getLogger("alembic").info("once")
    assert first.getvalue() == ""
    assert len(events(stream)) == 1


def test_a_python_warning_is_a_line_too(stream: io.StringIO) -> None:
    configure_logs("info", "json", stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old API", UserWarning, stacklevel=1)
    (event,) = events(stream)
    assert event["logger"] == "py.warnings"
    assert "old API" in str(event["event"])


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "new_password",
        "encryptedPassword",
        "passphrase",
        "X-Auth-Token",
        "client_secret",
        "Authorization",
        "cookie",
        "verifier",
        "private_key",
        "private_pem",
        "key_material",
        "encryption_key",
        "api-key",
        "credentials",
        "sessionUuid",
    ],
)
def test_the_value_of_a_secret_looking_key_is_masked_at_any_depth(stream: io.StringIO, key: str) -> None:
    configure_logs("info", "json", stream)
    get_logger("stratal").info("got", body=[{"spec": ({key: "hunter2"},)}], **{key: {"nested": "hunter2"}})
    assert "hunter2" not in stream.getvalue()
    (event,) = events(stream)
    assert event[key] == "***"
    assert event["body"] == [{"spec": [{key: "***"}]}]


def test_masking_leaves_other_values_and_the_mere_presence_of_a_secret(stream: io.StringIO) -> None:
    configure_logs("info", "json", stream)
    get_logger("stratal").info("got", user="ada", password=None, token=True, body={"size_mb": 5, 7: "seven"})
    (event,) = events(stream)
    assert (event["user"], event["password"], event["token"]) == ("ada", None, True)
    assert event["body"] == {"size_mb": 5, "7": "seven"}


def test_masking_does_not_change_what_was_logged(stream: io.StringIO) -> None:
    configure_logs("info", "json", stream)
    body = {"password": "hunter2"}
    get_logger("stratal").info("got", body=body)
    assert body == {"password": "hunter2"}


def test_a_structure_that_contains_itself_is_logged_cut_off(stream: io.StringIO) -> None:
    configure_logs("info", "json", stream)
    body: dict[str, object] = {}
    body["self"] = body
    get_logger("stratal").info("got", body=body)
    assert "…" in json.dumps(events(stream), ensure_ascii=False)


@pytest.mark.parametrize("format", ["json", "console"])
def test_a_traceback_is_logged_without_local_variables(stream: io.StringIO, format: str) -> None:
    configure_logs("info", format, stream)  # pyright: ignore[reportArgumentType]
    innocent_name = "hunter" + str(1 + 1)
    try:
        raise RuntimeError(f"failed with {len(innocent_name)} letters")
    except RuntimeError:
        get_logger("stratal").exception("went_wrong")
        logging.getLogger("litestar").exception("went wrong")
    assert stream.getvalue().count("RuntimeError: failed with 7 letters") == 2
    assert "hunter2" not in stream.getvalue()


def test_a_value_without_a_json_form_does_not_stop_the_caller(stream: io.StringIO) -> None:
    configure_logs("info", "json", stream)
    get_logger("stratal").info("got", path=Path("/x"), odd="\ud800", data=b"\xff")
    (event,) = events(stream)
    assert "/x" in str(event["path"])


def test_console_format_is_for_reading_and_has_no_colour_codes_off_a_terminal(stream: io.StringIO) -> None:
    configure_logs("info", "console", stream)
    get_logger("stratal").info("volume_created", id=7, password="hunter2")
    logging.getLogger("uvicorn").info("started")
    ours, theirs = stream.getvalue().splitlines()
    assert "volume_created" in ours
    assert "id=7" in ours
    assert "***" in ours
    assert "started" in theirs
    assert "\x1b" not in stream.getvalue()


class _FullDisk(io.StringIO):
    def write(self, s: str, /) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk_loses_the_line_and_not_the_work() -> None:
    configure_logs("info", "json", _FullDisk())
    get_logger("stratal").info("lost")
    logging.getLogger("alembic").info("lost")


def test_a_malformed_message_of_a_library_does_not_stop_the_library(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("info", "json", stream)
    logging.getLogger("litestar").info("%d", "no number")
    assert "no number" in capsys.readouterr().err


def test_a_logger_made_before_the_configuration_follows_it(stream: io.StringIO) -> None:
    log = get_logger("stratal.early")
    configure_logs("info", "json", stream)
    log.info("heard")
    assert events(stream)[0]["logger"] == "stratal.early"
