"""Where settings come from, what is refused, and that no password shows."""

import os
import re
import socket
import traceback
from pathlib import Path

import pytest

from stratal.kernel.errors import Invalid
from stratal.kernel.settings import Settings, example_toml, load_settings, parse_listen


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("STRATAL_"):
            monkeypatch.delenv(name)


def written(directory: Path, text: str) -> Path:
    file = directory / "stratal.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refusal(file: Path | None = None, **overrides: object) -> Invalid:
    with pytest.raises(Invalid) as caught:
        load_settings(file, {name.replace("__", "."): value for name, value in overrides.items()})
    return caught.value


def test_without_file_environment_and_flags_the_settings_are_the_documented_defaults() -> None:
    settings = load_settings(None, {})
    assert settings == Settings()
    assert settings.data_directory == Path("/var/lib/stratal")
    assert settings.database_url.get_secret_value() == "sqlite:////var/lib/stratal/stratal.db"
    assert settings.simulate is False
    assert settings.node_name == socket.gethostname()
    assert settings.metrics_listen == "127.0.0.1:6013"
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 6012)
    assert (settings.server.max_body_bytes, settings.server.cors_allow_origins) == (1024**2, ())
    assert (settings.log.level, settings.log.format) == ("info", "json")
    engine = settings.engine
    assert (engine.workers, engine.lease_seconds, engine.poll_seconds) == (8, 30, 5)
    assert (engine.backoff_base_seconds, engine.backoff_cap_seconds, engine.shutdown_seconds) == (0.5, 60, 20)
    identity = settings.identity
    assert (identity.anonymous_user, identity.password_min_length) == ("", 8)
    assert (
        identity.argon2_time_cost,
        identity.argon2_memory_cost_kib,
        identity.argon2_parallelism,
    ) == (3, 65536, 1)


def test_a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, "[engine]\nworkers = 2\nlease_seconds = 12\npoll_seconds = 1\n")
    monkeypatch.setenv("STRATAL_ENGINE__WORKERS", "3")
    monkeypatch.setenv("STRATAL_ENGINE__LEASE_SECONDS", "13")
    engine = load_settings(file, {"engine.workers": 4}).engine
    assert engine.workers == 4
    assert engine.lease_seconds == 13
    assert engine.poll_seconds == 1
    assert engine.backoff_cap_seconds == 60


def test_a_flag_that_was_not_given_overrides_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, "simulate = true\n[server]\nport = 1\n")
    settings = load_settings(file, {"simulate": None, "server": {"port": None}})
    assert settings.simulate is True
    assert settings.server.port == 1


def test_flags_may_be_nested_or_dotted_and_the_callers_mapping_stays_as_it_was() -> None:
    nested = {"host": "::1"}
    settings = load_settings(None, {"server": nested, "server.port": 7})
    assert (settings.server.host, settings.server.port) == ("::1", 7)
    assert nested == {"host": "::1"}


def test_the_environment_is_read_by_load_settings_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATAL_SIMULATE", "true")
    assert load_settings(None, {}).simulate is True
    assert Settings().simulate is False


def test_origins_in_the_environment_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATAL_SERVER__CORS_ALLOW_ORIGINS", "https://a.example, http://b.example:8080")
    assert load_settings(None, {}).server.cors_allow_origins == ("https://a.example", "http://b.example:8080")


def test_the_variable_that_arms_a_crash_point_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATAL_CRASH_AT", "qcow2.create.before")
    assert load_settings(None, {}) == Settings()


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("prot = 1", "prot"),
        ("_env_file = '/etc/other'", "_env_file"),
        ("[server]\nprot = 1", "server.prot"),
        ("[sever]\nport = 1", "sever"),
    ],
)
def test_an_unknown_key_in_the_file_is_refused_by_its_path(tmp_path: Path, text: str, field: str) -> None:
    error = refusal(written(tmp_path, text))
    assert error.fields == {"field": field, "reason": "there is no such setting"}


def test_an_unknown_variable_of_a_section_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATAL_SERVER__PROT", "1")
    assert refusal().fields["field"] == "server.prot"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("engine.workers", 0),
        ("engine.workers", "many"),
        ("engine.lease_seconds", float("inf")),
        ("engine.poll_seconds", 0),
        ("server.port", 65536),
        ("server.host", ""),
        ("server.max_body_bytes", 0),
        ("server.cors_allow_origins", ["console.example"]),
        ("server.cors_allow_origins", ["https://console.example/path"]),
        ("log.level", "loud"),
        ("log.format", "xml"),
        ("identity.password_min_length", 0),
        ("data_directory", "var/stratal"),
        ("database_url", "mysql://localhost/stratal"),
        ("metrics_listen", "6013"),
        ("metrics_listen", "::1:6013"),
        ("server.tls_certificate", "/nonexistent/certificate.pem"),
        ("engine", 5),
    ],
)
def test_an_impossible_value_is_refused_by_the_name_of_its_setting(name: str, value: object) -> None:
    with pytest.raises(Invalid) as caught:
        load_settings(None, {name: value})
    assert caught.value.fields["field"] == name
    assert "\n" not in str(caught.value.fields["reason"])


def test_a_back_off_whose_cap_is_below_its_base_is_refused() -> None:
    error = refusal(engine__backoff_base_seconds=5, engine__backoff_cap_seconds=4)
    assert error.fields["field"] == "engine.backoff_cap_seconds"


def test_argon2_memory_too_small_for_its_lanes_is_refused() -> None:
    error = refusal(identity__argon2_parallelism=4, identity__argon2_memory_cost_kib=31)
    assert error.fields["field"] == "identity.argon2_memory_cost_kib"


def test_a_tls_certificate_and_its_key_come_together_or_not_at_all(tmp_path: Path) -> None:
    pem = written(tmp_path, "")
    assert refusal(server__tls_certificate=pem).fields["field"] == "server.tls_key"
    assert refusal(server__tls_key=pem).fields["field"] == "server.tls_key"
    server = load_settings(None, {"server.tls_certificate": pem, "server.tls_key": pem}).server
    assert (server.tls_certificate, server.tls_key) == (pem, pem)


def test_a_file_that_is_missing_or_no_toml_is_refused_by_its_name(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    assert refusal(missing).fields == {"field": str(missing), "reason": "No such file or directory"}
    broken = written(tmp_path, "simulate = yes\n")
    assert refusal(broken).fields["field"] == str(broken)
    assert "line 1" in refusal(broken).message


def test_a_section_in_the_environment_that_is_no_json_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATAL_ENGINE", "{workers")
    assert "engine" in refusal().message


def test_the_default_database_lies_in_the_data_directory(tmp_path: Path) -> None:
    settings = load_settings(None, {"data_directory": tmp_path})
    assert settings.database_url.get_secret_value() == f"sqlite:///{tmp_path}/stratal.db"


def test_the_password_of_the_database_shows_in_no_representation_and_no_error() -> None:
    password = "hunter" + str(2)  # put together, as a traceback shows the lines of this test
    settings = load_settings(None, {"database_url": f"postgresql+psycopg://stratal:{password}@db/stratal"})
    assert password in settings.database_url.get_secret_value()
    for shown in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert password not in shown
    for wrong in (f"mysql://stratal:{password}@db/stratal", [password]):
        with pytest.raises(Invalid) as caught:
            load_settings(None, {"database_url": wrong})
        assert password not in "".join(traceback.format_exception(caught.value))


def test_the_example_file_loads_back_to_the_defaults_as_it_is_and_with_every_setting_active(
    tmp_path: Path,
) -> None:
    example = example_toml()
    active = re.sub(r"^#(?=\w)", "", example, flags=re.MULTILINE)
    assert active.count("\n#") < example.count("\n#")
    assert load_settings(written(tmp_path, example), {}) == Settings()
    assert load_settings(written(tmp_path, active), {}) == Settings()


def test_the_example_file_names_and_describes_every_setting() -> None:
    example = example_toml()
    sections = [Settings, *(type(f.default) for f in Settings.model_fields.values() if f.default is not None)]
    leaves = [
        (name, field)
        for section in sections
        if hasattr(section, "model_fields")
        for name, field in section.model_fields.items()
        if not hasattr(field.default, "model_fields_set")
    ]
    assert len(leaves) > 20
    for name, field in leaves:
        assert field.description, name
        assert re.search(rf"^# .+\n#{name} = ", example, flags=re.MULTILINE), name


def test_a_listen_address_is_a_host_and_a_port() -> None:
    assert parse_listen("127.0.0.1:6013") == ("127.0.0.1", 6013)
    assert parse_listen("[::1]:0") == ("::1", 0)
    for wrong in ("", "6013", ":6013", "host:", "host:x", "host:65536", "host:-1", "host:３", "::1:6013"):
        with pytest.raises(ValueError, match=r"must be|brackets"):
            parse_listen(wrong)
