"""What the files for larger houses say is valid, hardened, and asks only for what the project has."""

from __future__ import annotations

import ast
import base64
import contextlib
import json
import re
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import jsonschema
import kubernetes_validate
import pytest
import redis
import typer
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from publishers.core.post import Post, Receipt
from tests.ports import free_port
from worker import app, cli, embedded
from worker.errors import HandbillError
from worker.model import Delivery, Status, Step, StepKind, delivery_id, step_key
from worker.settings import Settings
from worker.store import Deliveries, copying, open_store
from worker.store.deliveries import End

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
OVERLAYS = sorted((DEPLOY / "compose").glob("*.yml"))
KUBERNETES = "1.34"
PASSWORD = "a-long-password"
VARIABLE = re.compile(r"\$\{(\w+):\?[^}]*\}")


class Loader(yaml.SafeLoader):
    """Compose's own tags say how files are merged; what stands under them is plain."""


Loader.add_multi_constructor("!", lambda loader, _, node: loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else loader.construct_mapping(node, deep=True))  # fmt: skip


def overlay(path):
    return yaml.load(path.read_text(), Loader)


def manifests():
    return [
        m
        for path in ("handbill.yaml", "scaling.yaml")
        for m in yaml.safe_load_all((DEPLOY / "kubernetes" / path).read_text())
    ]


def pods():
    """Each template of pods, with what it belongs to."""
    for manifest in manifests():
        spec = manifest.get("spec", {})
        if manifest["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if "template" in spec:
            yield manifest["metadata"]["name"], spec["template"]["spec"]


def command_exists(words):
    found = typer.main.get_command(cli.cli)
    first, *arguments = words
    command = found.commands[first]
    command.parse_args(typer.Context(command, info_name=first), list(arguments))


# Compose


@pytest.mark.parametrize("path", OVERLAYS, ids=lambda p: p.stem)
def test_an_overlay_follows_the_compose_specification_and_sets_only_what_handbill_reads(path):
    found = overlay(path)
    schema = yaml.safe_load(
        resources.files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text()
    )
    jsonschema.Draft7Validator(schema).validate(found)
    base = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    if path.stem == "rabbitmq-tls":  # it goes over that one
        base["services"] |= overlay(DEPLOY / "compose" / "scale.yml")["services"]
    for name, service in found["services"].items():
        for variable in service.get("environment", {}):
            if variable.startswith("HANDBILL_"):
                assert variable.removeprefix("HANDBILL_").lower() in Settings.model_fields, variable
        if name not in base["services"]:
            assert service["networks"] == ["inside"]
            assert service["restart"] == "unless-stopped"
            assert "ports" not in service
    # Every password is asked for, and none stands in the file.
    code = "\n".join(line.partition("#")[0] for line in path.read_text().splitlines())
    secrets = re.findall(
        r'(?:requirepass |masterauth |auth-pass posts |_PASS: "|CLI_AUTH: "| on >|//:|//handbill:)(\S+)', code
    )
    assert secrets
    assert [s for s in secrets if not s.startswith("${HANDBILL_")] == []


@pytest.mark.parametrize("path", [ROOT / "docker-compose.yml", *OVERLAYS], ids=lambda p: p.stem)
def test_no_argument_of_a_container_holds_a_secret(path):
    for name, service in overlay(path)["services"].items():
        said = json.dumps([service.get(what, "") for what in ("command", "entrypoint", "healthcheck")])
        assert not VARIABLE.search(said), name


def given(path, name, **replacements):
    text = VARIABLE.sub(PASSWORD, overlay(path)["configs"][name]["content"])
    for old, new in replacements.items():
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def server(folder, text, *words):
    folder.mkdir(exist_ok=True)
    (folder / "handbill.conf").write_text(text)
    port = free_port()
    process = subprocess.Popen(
        [embedded.binary(), "handbill.conf", "--port", str(port), "--bind", "127.0.0.1", *words],
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 10
        while True:
            assert process.poll() is None, (folder / "handbill.conf").read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            assert time.monotonic() < end
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait()


@pytest.mark.redis
def test_a_user_with_only_what_handbill_needs_can_do_all_of_it_and_nothing_else(tmp_path):
    path = DEPLOY / "compose" / "tls.yml"
    (tmp_path / "users.acl").write_text("\n".join(line for line in given(path, "users").splitlines() if line) + "\n")
    words = [
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "maxmemory-policy noeviction",
        f"aclfile {tmp_path}/users.acl",
    ]
    with server(tmp_path / "server", "\n".join(words)) as port:
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port).ping()
        store = open_store(f"redis://handbill:{PASSWORD}@127.0.0.1:{port}/0")
        deliveries = Deliveries(store)
        name = delivery_id("main.a", "main.k", 0)
        step = Step(kind=StepKind.POST, ordinal=0, key=step_key(name, StepKind.POST, 0, 1), post=Post(text="x"))
        due = datetime.now(UTC) - timedelta(seconds=1)
        deliveries.create(
            Delivery(
                id=name,
                article="main.a",
                account="main.k",
                platform="p",
                status=Status.SCHEDULED,
                due=due,
                steps=(step,),
            ),
            note="",
        )
        assert deliveries.claim(most=9, settle=1, wake=60, attempts=3)[0] == [name]
        turn = deliveries.begin(name, lease=60, stale=1e9)
        assert deliveries.intend(turn, turn.delivery.steps, seconds=1) == "ok"
        assert deliveries.finish(turn, End(Status.PUBLISHED, "", steps=(replace(step, receipt=Receipt(id="1")),)))
        assert len(list(copying.snapshot(store))) > 5
        for command in (
            ["FLUSHALL"],
            ["CONFIG", "SET", "appendonly", "no"],
            ["KEYS", "*"],
            ["GET", "elsewhere"],
            ["SHUTDOWN"],
            ["ACL", "LIST"],
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                store.client.execute_command(*command)
        store.close()


@pytest.mark.redis
def test_servers_take_the_configurations_of_a_house_that_fails_over(tmp_path):
    path = DEPLOY / "compose" / "scale.yml"
    with server(tmp_path / "state", given(path, "replicated")) as port:
        client = redis.Redis(port=port, password=PASSWORD, decode_responses=True)
        assert client.config_get("min-replicas-to-write") == {"min-replicas-to-write": "1"}
        with pytest.raises(redis.ResponseError, match="NOREPLICAS"):
            client.set("handbill:x", 1)
        text = (
            given(path, "sentinel")
            .replace("monitor posts state 6379", f"monitor posts 127.0.0.1 {port}")
            .replace("port 26379\n", "")
        )
        with server(tmp_path / "sentinel", text, "--sentinel") as watcher:
            told = redis.Redis(port=watcher, decode_responses=True)
            assert told.sentinel_get_master_addr_by_name("posts") == ("127.0.0.1", port)


# Kubernetes


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class OfPrometheus(Strict):
    """https://github.com/kedacore/keda/blob/8b4f083/pkg/scalers/prometheus_scaler.go (read 2026-11-26); all are text."""

    server_address: str
    query: str
    threshold: str
    activation_threshold: str = ""
    ignore_null_values: str = ""


class Trigger(Strict):
    type: Literal["prometheus"]
    metadata: OfPrometheus


class Target(Strict):
    name: str
    kind: str = ""


class Scaling(Strict):
    scale_target_ref: Target
    triggers: Annotated[list[Trigger], Field(min_length=1)]
    polling_interval: int = 0
    cooldown_period: int = 0
    min_replica_count: int = 0
    max_replica_count: int = 0


class ScaledObject(Strict):
    """What we use of https://github.com/kedacore/keda/blob/8b4f083/config/crd/bases/keda.sh_scaledobjects.yaml (read
    2026-11-26), whose own schema no package for this Python carries; an apply refuses what stands in neither."""

    api_version: Literal["keda.sh/v1alpha1"]
    kind: Literal["ScaledObject"]
    metadata: dict[Literal["name", "namespace"], str]
    spec: Scaling


def test_every_manifest_follows_the_schema_of_its_kind():
    for manifest in manifests():
        if manifest["kind"] == "ScaledObject":
            ScaledObject.model_validate(manifest)
        else:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    kinds = [m["kind"] for m in manifests()]
    assert {"Deployment", "StatefulSet", "CronJob", "NetworkPolicy", "PodDisruptionBudget", "Ingress"} <= set(kinds)


@pytest.mark.parametrize(
    ("there", "instead"),
    [('threshold: "128"', "threshold: 128"), ("maxReplicaCount", "maxReplicas"), ("prometheus\n", "promtheus\n"),
     ("scaleTargetRef", "targetRef"), ("query:", "promql:"), ("keda.sh/v1alpha1", "keda.k8s.io/v1alpha1")],
)  # fmt: skip
def test_a_manifest_that_keda_would_not_take_is_noticed(there, instead):
    text = (DEPLOY / "kubernetes" / "scaling.yaml").read_text()
    assert there in text
    first = next(yaml.safe_load_all(text.replace(there, instead, 1)))
    with pytest.raises(ValidationError):
        ScaledObject.model_validate(first)


def test_no_pod_may_do_more_than_it_must():
    found = dict(pods())
    assert set(found) == {"state", "broker", "worker-publish", "worker-content", "worker-intake", "web", "backup"}
    for name, spec in found.items():
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["resources"]["limits"]["memory"], name
            assert re.search(r":\d[\w.]*(@sha256:\w{64})?$", container["image"]), name
            for variable in container.get("env", []):
                secret = variable["name"].endswith(("PASSWORD", "SECRET_KEY", "AUTH"))
                assert not (secret and "value" in variable), (name, variable)


@pytest.mark.redis
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows processes under /proc")
@pytest.mark.parametrize("name", ["state", "broker"])
def test_no_argument_of_a_pod_holds_a_secret_and_its_server_asks_for_the_password_all_the_same(name, tmp_path):
    for _, spec in pods():
        for container in spec["containers"]:
            assert "$(" not in json.dumps([container.get("command", []), container.get("args", [])])
    [container] = dict(pods())[name]["containers"]
    assert "/run/handbill" in {m["mountPath"] for m in container["volumeMounts"]}
    (tmp_path / "valkey-server").symlink_to(embedded.binary())
    words = [w.replace("/run/handbill", str(tmp_path)).replace("/data", str(tmp_path)) for w in container["command"]]
    words += [w.replace("/data", str(tmp_path)) for w in container["args"]]
    words += ["--port", "0", "--unixsocket", f"{tmp_path}/s", "--set-proc-title", "no"]
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "PASSWORD": PASSWORD}
    process = subprocess.Popen(words, env=env, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 10
        while not (tmp_path / "s").exists():
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        line = Path(f"/proc/{process.pid}/cmdline").read_text()
        assert line.startswith("valkey-server\0")  # the shell became it, so that it hears what it is told
        assert PASSWORD not in line
        assert (tmp_path / "valkey.conf").stat().st_mode & 0o077 == 0
        with redis.Redis(unix_socket_path=f"{tmp_path}/s") as nobody, pytest.raises(redis.AuthenticationError):
            nobody.ping()
        with redis.Redis(unix_socket_path=f"{tmp_path}/s", password=PASSWORD, decode_responses=True) as client:
            assert client.config_get("appendfsync" if name == "state" else "maxmemory") in (
                {"appendfsync": "always"},
                {"maxmemory": str(256 << 20)},
            )
    finally:
        process.terminate()
        process.wait()


def test_every_setting_and_command_of_the_manifests_is_one_that_handbill_has():
    config = next(m for m in manifests() if m["kind"] == "ConfigMap")
    names = set(config["data"])
    for _, spec in pods():
        for container in spec["containers"]:
            if container["name"] != "handbill":
                continue
            names |= {v["name"] for v in container["env"] if v["name"].startswith("HANDBILL_")}
            command_exists(container["args"])
            probe = container.get("livenessProbe", {}).get("exec", {}).get("command")
            if probe:
                command_exists(probe[1:])
    assert {n.removeprefix("HANDBILL_").lower() for n in names} <= set(Settings.model_fields)
    Settings(**{n.removeprefix("HANDBILL_").lower(): v for n, v in config["data"].items()}, _env_file=None)


def test_what_belongs_together_is_called_the_same():
    found = manifests()
    labels = {
        m["spec"]["template"]["metadata"]["labels"]["app"] for m in found if m["kind"] in {"Deployment", "StatefulSet"}
    } | {"backup"}
    for manifest in found:
        if manifest["kind"] == "Service":
            assert manifest["spec"]["selector"]["app"] in labels
        if manifest["kind"] in {"ScaledObject", "HorizontalPodAutoscaler"}:
            assert manifest["spec"]["scaleTargetRef"]["name"] in labels
    claims = {m["metadata"]["name"] for m in found if m["kind"] == "PersistentVolumeClaim"}
    used = {
        v["persistentVolumeClaim"]["claimName"]
        for _, s in pods()
        for v in s.get("volumes", [])
        if "persistentVolumeClaim" in v
    }
    assert used == claims
    kustomize = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    assert all((DEPLOY / "kubernetes" / r).exists() for r in kustomize["resources"])


def test_workers_are_added_by_numbers_that_there_are():
    known = set(re.findall(r'"(handbill_\w+)"', (ROOT / "worker" / "watch" / "numbers.py").read_text()))
    scaled = [m for m in manifests() if m["kind"] == "ScaledObject"]
    assert len(scaled) == 2
    for manifest in scaled:
        spec = manifest["spec"]
        assert 0 < spec["minReplicaCount"] < spec["maxReplicaCount"]
        for trigger in spec["triggers"]:
            assert set(re.findall(r"handbill_\w+", trigger["metadata"]["query"])) <= known
            assert float(trigger["metadata"]["threshold"]) > 0


# Safe


def test_only_json_is_taken_from_the_broker():
    assert list(app.app.conf.accept_content) == ["json"]
    assert app.app.conf.task_serializer == "json"


def test_a_broker_of_quorum_queues_gets_them_and_a_redis_does_not():
    queues = app.make(Settings(broker_url="amqp://handbill:x@127.0.0.1//", _env_file=None)).conf.task_queues
    assert [q.queue_arguments for q in queues] == [{"x-queue-type": "quorum"}] * 2
    assert not any(
        q.queue_arguments for q in app.make(Settings(broker_url="redis://127.0.0.1/0", _env_file=None)).conf.task_queues
    )


@pytest.fixture(scope="module")
def celery(tmp_path_factory):
    """The application on a Redis of its own, and that Redis."""
    with embedded.Embedded.start(tmp_path_factory.mktemp("valkey")) as server:
        client = redis.Redis(unix_socket_path=str(server.socket))
        yield app.make(Settings(redis_url=server.url, _env_file=None)), client
        client.close()


@pytest.mark.parametrize("together", [False, True])
def test_a_full_queue_of_wake_ups_takes_no_more_whoever_sends_them_and_others_do(celery, together):
    made, client = celery
    client.flushall()
    for queue in (app.PUBLISH, app.CONTENT):
        with (
            made.producer_or_acquire() as producer,
            producer.batch() if together else contextlib.nullcontext(),
        ):
            for number in range(70):
                made.send_task("handbill.look", args=[f"main.{number}"], queue=queue, producer=producer)

    assert (client.llen(app.PUBLISH), client.llen(app.CONTENT)) == (64, 70)
    assert b"main.0" in base64.b64decode(json.loads(client.lindex(app.PUBLISH, -1))["body"])


def test_a_wake_up_leaves_the_broker_with_the_hand_that_takes_it_and_never_comes_back(celery):
    made, client = celery
    client.flushall()
    made.send_task("handbill.look", args=["main.1"], queue=app.PUBLISH)
    made.send_task("handbill.read", args=["main.2"], queue=app.CONTENT)
    taken = []
    with made.connection_for_read() as connection, made.amqp.TaskConsumer(connection) as consumer:
        consumer.on_message = taken.append
        consumer.consume()
        while len(taken) < 2:
            connection.drain_events(timeout=5)
        kept = [json.loads(row)[2] for row in client.hvals("unacked")]

    assert kept == [app.CONTENT], "what a worker that is killed holds is given back, but for wake-ups"
    assert made.conf.worker_disable_prefetch, "a wake-up is taken only by a hand that is free"
    assert not app.make(Settings(broker_url="amqp://handbill:x@h//", _env_file=None)).conf.worker_disable_prefetch


@pytest.mark.parametrize("scheme", ["amqps", "rediss"])
def test_the_certificate_and_the_name_of_a_broker_behind_tls_are_always_checked(scheme, tmp_path):
    (tmp_path / "ca.crt").write_text("")
    address = f"{scheme}://handbill:x@rabbit.example:5671//"
    for told in (address, f"{address}?ssl_ca_certs={tmp_path}/ca.crt&ssl_cert_reqs=required"):
        conf = app.make(Settings(broker_url=told, _env_file=None)).conf
        assert conf.broker_url == address  # what kombu reads from there would go before what is said of TLS
        tls = conf.broker_use_ssl
        if scheme == "amqps":
            assert (tls["cert_reqs"], tls["server_hostname"]) == (ssl.CERT_REQUIRED, "rabbit.example")
            assert ("ca_certs" in tls) == ("?" in told)
        else:
            assert (tls["ssl_cert_reqs"], tls["ssl_check_hostname"]) == (ssl.CERT_REQUIRED, True)
            assert ("ssl_ca_certs" in tls) == ("?" in told)
    for words in ("ssl_cert_reqs=none", "ssl_check_hostname=false", f"ssl_ca_certs={tmp_path}/none"):
        with pytest.raises(HandbillError, match="HANDBILL_BROKER_URL cannot be used"):
            app.make(Settings(broker_url=f"{address}?{words}", _env_file=None))
    assert app.make(Settings(broker_url="amqp://h//", _env_file=None)).conf.broker_use_ssl is False


def test_a_state_with_sentinels_wants_a_broker_of_its_own():
    with pytest.raises(HandbillError, match="needs a broker beside"):
        app.make(Settings(redis_url="sentinel://:x@127.0.0.1:1/posts", _env_file=None))


THREATS = ROOT / "docs" / "threat-model.md"


def test_every_threat_names_tests_that_there_are():
    rows = [
        line for line in THREATS.read_text().splitlines() if line.startswith("| ") and not line.startswith("| threat")
    ]
    assert len(rows) >= 20
    for row in rows:
        named = re.findall(r"`((?:chaos/)?test_\w+\.py)(?:::(test_\w+))?`", row)
        assert named, row
        for file, function in named:
            path = ROOT / "tests" / file
            assert path.exists(), file
            functions = {n.name for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)}
            assert not function or function in functions, (file, function)


GOOD, SKIPPED = {"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "not found"}
BAD = {"name": "c", "version": "2", "vulns": [{"id": "CVE-2026-1", "fix_versions": ["3"]}]}


@pytest.mark.parametrize(
    ("found", "code", "words"),
    [
        ([GOOD, GOOD], 0, "2 parts were looked up, and nothing is known"),
        ([GOOD, BAD, SKIPPED], 1, "known to be bad: c 2: CVE-2026-1"),
        ([SKIPPED, SKIPPED], 3, "nothing was audited"),
        ([GOOD, SKIPPED], 3, "1 of 2 parts could not be looked up: b"),
        ([], 3, "nothing was audited"),
        (None, 3, "nothing was audited"),
    ],
)
def test_the_audit_says_what_is_known_and_when_it_cannot_know(tmp_path, found, code, words):
    path = tmp_path / "advisories.json"
    if found is not None:
        path.write_text(json.dumps({"dependencies": found, "fixes": []}))
    argv = [sys.executable, str(ROOT / ".ci" / "advisories.py"), str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert words in done.stdout


def test_a_machine_that_cannot_ask_goes_on_and_one_that_knows_of_a_hole_does_not():
    text = (ROOT / ".ci" / "run").read_text()
    assert re.search(r'^\.ci/audit \|\| \{ code=\$\?; \[ "\$code" = 3 \] \|\| exit "\$code"; \}$', text, re.MULTILINE)
    assert text.rstrip().endswith("make test")


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        (".github/workflows/audit.yml", "github-workflows"),
        (".github/workflows/ci.yml", "github-workflows"),
        (".github/dependabot.yml", "dependabot"),
    ],
)
def test_what_the_forge_runs_follows_its_schema(path, schema):
    found = yaml.safe_load((ROOT / path).read_text().replace("\non:", '\n"on":'))
    rules = yaml.safe_load(
        resources.files("check_jsonschema").joinpath(f"builtin_schemas/vendor/{schema}.json").read_text()
    )
    jsonschema.Draft7Validator(rules).validate(found)
