"""What docker-compose.yml says is valid, asks for every password, and names only what the project has."""

import re
import subprocess
import time
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
import redis
import typer
import yaml

from worker import cli, embedded
from worker.settings import Settings

ROOT = Path(__file__).parent.parent
COMPOSE = ROOT / "docker-compose.yml"
VARIABLE = re.compile(r"\$\{(\w+)(:[-?])?([^}]*)\}")
SERVICES = {"state", "broker", "worker-publish", "worker-content", "worker-intake", "web", "rehearsal"}
SERVERS = {"state", "broker"}


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(COMPOSE.read_text())


def settings_of(service):
    return service["environment"]


def test_it_follows_the_compose_specification(compose):
    schema = yaml.safe_load(
        resources.files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text()
    )
    jsonschema.Draft7Validator(schema).validate(compose)
    assert set(compose["services"]) == SERVICES


def test_every_password_must_be_given_and_none_has_a_default(compose):
    text = COMPOSE.read_text()
    used = VARIABLE.findall(text)
    for name, kind, default in used:
        if name.endswith(("_PASSWORD", "_KEY")):
            assert (kind, default) == (":?", "set it in .env"), name
        else:
            assert kind == ":-", name
            assert default, name
    assert not re.findall(r"(?i)(?:password|secret_key)\W*[:=]\s*[\"']?\w", VARIABLE.sub("", text))


def test_the_example_env_file_names_each_variable_once_and_no_secret():
    lines = [x for x in (ROOT / ".env.example").read_text().splitlines() if x and not x.startswith("#")]
    example = dict(x.split("=", 1) for x in lines)
    assert len(example) == len(lines)
    used = {name: default for name, kind, default in VARIABLE.findall(COMPOSE.read_text()) if kind == ":-"}
    required = {name for name, kind, _ in VARIABLE.findall(COMPOSE.read_text()) if kind == ":?"}
    assert example == used | dict.fromkeys(required, "")


def test_every_setting_it_sets_is_one_that_handbill_reads(compose):
    for name in SERVICES - SERVERS:
        for variable in settings_of(compose["services"][name]):
            assert variable.removeprefix("HANDBILL_").lower() in Settings.model_fields, variable


def test_every_command_is_one_that_handbill_has(compose):
    root = typer.main.get_command(cli.cli)
    for name in SERVICES - SERVERS:
        service = compose["services"][name]
        checked = service["healthcheck"]["test"]
        commands = [service["command"], *([checked[2:]] if checked[1] == "handbill" else [])]
        for first, *arguments in commands:
            command = root.commands[first]
            command.parse_args(typer.Context(command, info_name=first), list(arguments))


def test_only_the_web_is_reachable_and_only_from_this_machine(compose):
    published = {name: s["ports"] for name, s in compose["services"].items() if "ports" in s}
    assert published == {
        "web": ["127.0.0.1:${HANDBILL_PORT:-8484}:8484"],
        "rehearsal": ["127.0.0.1:${HANDBILL_REHEARSAL_PORT:-8486}:8484"],
    }
    assert compose["networks"]["inside"] == {"internal": True}
    for name in SERVERS:
        assert compose["services"][name]["networks"] == ["inside"]


def test_the_rehearsal_shares_nothing_with_production_and_starts_only_when_asked_for(compose):
    rehearsal = compose["services"]["rehearsal"]
    assert rehearsal["profiles"] == ["rehearsal"]
    assert rehearsal["volumes"] == ["rehearsal:/data"]
    assert rehearsal["networks"] == ["outside"]
    assert not {"HANDBILL_REDIS_URL", "HANDBILL_BROKER_URL", "HANDBILL_SECRET_KEY"} & settings_of(rehearsal).keys()


def test_every_service_comes_back_is_checked_and_may_do_little(compose):
    for name, service in compose["services"].items():
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        if name not in SERVERS:
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
    assert re.search(r"^USER handbill$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


@pytest.mark.redis
@pytest.mark.parametrize(
    ("server", "promises"),
    [
        ("state", {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "save": ""}),
        ("broker", {"appendonly": "no", "maxmemory-policy": "noeviction", "save": "", "maxmemory": str(256 << 20)}),
    ],
)
def test_a_real_server_takes_the_configuration_and_asks_for_the_password(compose, tmp_path, server, promises):
    text = VARIABLE.sub("a-password", compose["configs"][server]["content"])
    (tmp_path / "handbill.conf").write_text(text)
    socket = tmp_path / "s"
    process = subprocess.Popen(
        [embedded.binary(), "handbill.conf", "--port", "0", "--unixsocket", socket],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 10
        while not socket.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with redis.Redis.from_url(f"unix://{socket}") as nobody, pytest.raises(redis.AuthenticationError):
            nobody.ping()
        with redis.Redis.from_url(f"unix://:a-password@{socket}", decode_responses=True) as client:
            assert {name: client.config_get(name)[name] for name in promises} == promises
    finally:
        process.terminate()
        process.wait()
