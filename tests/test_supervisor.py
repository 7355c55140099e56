"""What a person who runs `handbill up` may rely on: children come back, end in order, and never outlive us."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from worker import supervisor, up
from worker.errors import HandbillError
from worker.settings import Settings
from worker.supervisor import Child, State, Supervisor

SLEEPER = "import time; time.sleep(60)"

PARENT = """
import sys
from pathlib import Path
from worker.supervisor import Child, Supervisor
place = Path(sys.argv[1])
family = "import os, subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); " \
    "open(sys.argv[1], 'w').write(f'{os.getpid()} {p.pid}'); time.sleep(60)"
stubborn = "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); " \
    "open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
Supervisor([
    Child(name="family", argv=[sys.executable, "-c", family, str(place / "family.pids")]),
    Child(name="stubborn", argv=[sys.executable, "-c", stubborn, str(place / "stubborn.pids")]),
], grace=0.5).run()
"""


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"redis_url": "redis://state.example:6379/0"}, "HANDBILL_REDIS_URL has no password"),
        ({"broker_url": "redis://state.example:6379/0"}, "HANDBILL_BROKER_URL has no password"),
        ({"broker_url": "amqp://guest:guest@broker.example//"}, "guest and guest"),
        ({"secret_key": "changeme"}, "HANDBILL_SECRET_KEY is not a Fernet key"),
        ({"secret_key": "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="}, "HANDBILL_SECRET_KEY is not a Fernet key"),
    ],
)
def test_up_does_not_start_open_and_says_so_once(tmp_path, said, words):
    with pytest.raises(HandbillError, match=words):
        up.supervisor(Settings(_env_file=None, data_dir=tmp_path, **said))
    assert list(tmp_path.iterdir()) == []


def until(what, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)
    return value


def exists(pid):
    """Whether a process runs; one that is dead and not yet cleared away by its parent does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return (
            sys.platform != "linux"
            and subprocess.run(["ps", "-p", str(pid)], capture_output=True, check=False).returncode == 0
        )
    except ProcessLookupError:
        return False
    return state != "Z"


def python(name, code, *args, **kwargs):
    return Child(name=name, argv=[sys.executable, "-c", code, *map(str, args)], **kwargs)


@pytest.fixture
def run():
    """Run a supervisor in a thread and end it afterwards; what it told and logged stays readable."""
    started = []

    def go(*children, **kwargs):
        told = []
        it = Supervisor(children, log=io.StringIO(), status=lambda *event: told.append(event), **kwargs)
        it.told = told
        thread = threading.Thread(target=it.run)
        thread.start()
        started.append((it, thread))
        return it

    yield go
    for it, thread in started:
        it.stop()
        thread.join(15)
        assert not thread.is_alive()


def told(it, state):
    return [name for name, s, _ in it.told if s is state]


def test_a_killed_child_is_started_again(run):
    it = run(python("worker", SLEEPER))
    first = until(lambda: it.pids().get("worker"))
    os.kill(first, signal.SIGKILL)
    second = until(lambda: (pid := it.pids().get("worker")) and pid != first and pid)
    assert exists(second)
    assert not exists(first)
    assert [(n, s) for n, s, _ in it.told][:3] == [
        ("worker", State.STARTED),
        ("worker", State.DIED),
        ("worker", State.STARTED),
    ]
    assert "signal 9 after" in it.told[1][2]


def test_what_a_killed_child_left_running_is_ended_before_it_comes_back(run, tmp_path):
    note = tmp_path / "grandchild"
    code = (
        "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
        "open(sys.argv[1], 'w').write(str(p.pid)); time.sleep(60)"
    )
    it = run(python("worker", code, note))
    grandchild = int(until(lambda: note.exists() and note.read_text()))
    os.kill(it.pids()["worker"], signal.SIGKILL)
    until(lambda: State.DIED in [s for _, s, _ in it.told])
    until(lambda: not exists(grandchild), 2)


def test_children_start_when_the_one_before_is_ready_and_end_in_reverse_order(run, tmp_path):
    flag = tmp_path / "ready"
    it = run(
        python("first", SLEEPER, ready=flag.exists),
        python("second", SLEEPER),
        python("third", SLEEPER),
    )
    until(lambda: told(it, State.STARTED) == ["first"])
    time.sleep(0.3)
    assert told(it, State.STARTED) == ["first"]
    flag.touch()
    until(lambda: len(it.pids()) == 3)
    assert told(it, State.STARTED) == ["first", "second", "third"]
    pids = it.pids()
    it.stop()
    until(lambda: len(told(it, State.STOPPED)) == 3)
    assert told(it, State.STOPPED) == ["third", "second", "first"]
    assert not any(exists(pid) for pid in pids.values())


def test_a_child_that_ignores_term_is_killed_after_the_grace(run):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(60)"
    it = run(python("deaf", code), grace=0.3)
    until(lambda: "deaf | deaf" in it._log.getvalue())
    started = time.monotonic()
    it.stop()
    until(lambda: told(it, State.STOPPED) == ["deaf"])
    assert 0.3 <= time.monotonic() - started < 20


def test_a_child_that_fails_at_once_does_not_spin(run):
    it = run(Child(name="broken", argv=["/nowhere/at/all"]))
    time.sleep(1.5)
    starts = told(it, State.STARTED)
    assert 2 <= len(starts) <= 4  # at 0, 0.2, 0.6 and 1.4 s, each up to 0.1 s late
    assert "exit 127" in it.told[1][2]


def test_the_delay_doubles_to_five_seconds_and_half_a_minute_alive_forgives_it():
    delays, delay = [], 0.0
    for _ in range(7):
        delay = supervisor.next_delay(delay, 1.0, supervisor.LONGEST_DELAY)
        delays.append(delay)
    assert delays == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert supervisor.next_delay(5.0, 30.0, supervisor.LONGEST_DELAY) == 0.2


def test_whoever_asks_for_another_longest_delay_gets_it_and_nobody_else_does(run):
    it = run(Child(name="broken", argv=["/nowhere/at/all"]), longest_delay=0.3)
    until(lambda: len(told(it, State.DIED)) == 3)
    assert [words.rpartition("again in ")[2] for _, state, words in it.told if state is State.DIED][:3] == [
        "0.2 s",
        "0.3 s",
        "0.3 s",
    ]
    assert supervisor.LONGEST_DELAY == 5.0


def test_the_log_carries_the_name_of_who_printed_each_line(run):
    code = (
        "import sys, time; print('to out'); print('to err', file=sys.stderr); print('no end', end=''); time.sleep(0.1)"
    )
    it = run(python("web", code, env={"PYTHONIOENCODING": "utf-8"}), python("worker-publish", SLEEPER))
    until(lambda: "no end" in it._log.getvalue())
    assert it._log.getvalue().splitlines()[:3] == [
        "web            | to out",
        "web            | to err",
        "web            | no end",
    ]


def test_a_child_gets_its_own_environment_no_input_and_a_session_of_its_own(run):
    code = "import os, sys; print(os.environ['HANDBILL_PORT'], repr(sys.stdin.read()), os.getsid(0) == os.getpid())"
    it = run(python("web", code, env={"HANDBILL_PORT": "9"}))
    until(lambda: "web | 9 '' True" in it._log.getvalue())


def test_a_child_that_dies_while_starting_holds_the_next_back_until_it_is_ready(run, tmp_path):
    flag = tmp_path / "tries"
    code = "import sys, time, pathlib; p = pathlib.Path(sys.argv[1]); p.touch(); time.sleep(60)"
    it = run(python("first", "raise SystemExit(3)", ready=lambda: False), python("second", code, flag))
    until(lambda: len(told(it, State.DIED)) == 2)
    assert not flag.exists()


def test_the_warden_is_replaced_when_it_is_killed(run, monkeypatch):
    wardens = []
    start = supervisor._Warden._start
    monkeypatch.setattr(supervisor._Warden, "_start", lambda self: (start(self), wardens.append(self._process.pid)))
    run(python("worker", SLEEPER))
    os.kill(until(lambda: wardens and wardens[0]), signal.SIGKILL)
    until(lambda: len(wardens) == 2)


@pytest.fixture
def parent(tmp_path):
    """A supervisor in a process of its own, with a child that has a child and one that ignores TERM."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], cwd=Path(__file__).parent.parent, stderr=subprocess.DEVNULL
    )
    names = ("family.pids", "stubborn.pids")
    until(lambda: all((tmp_path / n).exists() and (tmp_path / n).read_text() for n in names))
    process.family = [int(pid) for n in names for pid in (tmp_path / n).read_text().split()]
    assert len(process.family) == 3
    assert all(exists(pid) for pid in process.family)
    yield process
    process.kill()
    process.wait()
    until(lambda: not any(exists(pid) for pid in process.family), 15)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_running_after_ctrl_c_or_term(parent, number):
    parent.send_signal(number)
    assert parent.wait(30) == 0
    until(lambda: not any(exists(pid) for pid in parent.family), 15)  # what was killed last is buried by nobody of ours


def test_nothing_outlives_a_supervisor_that_is_killed(parent):
    parent.kill()
    parent.wait()
    until(lambda: not any(exists(pid) for pid in parent.family), 15)


def test_a_second_ctrl_c_does_not_wait_for_the_grace(tmp_path):
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    script = (
        "import sys; from worker.supervisor import Child, Supervisor; "
        f"Supervisor([Child(name='deaf', argv=[sys.executable, '-c', {code!r}])], grace=60, log=sys.stdout).run()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert next(line for line in process.stdout if line == "deaf | deaf\n")
        process.send_signal(signal.SIGINT)
        time.sleep(2)  # the second counts half a second after the first was heard
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
