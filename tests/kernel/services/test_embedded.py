"""The embedded PostgreSQL and Valkey: start, stop, and what happens after a kill."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from mixcv.kernel.services import leftovers, postgres
from mixcv.kernel.services.embedded import Services, ensure_services, make_home
from mixcv.kernel.services.errors import HomeTaken, ServiceFailed
from mixcv.kernel.services.paths import runtime_dir
from tests.processes import PROJECT, kill_all, processes_of, wait_until

HOLD = """
import sys, time
from pathlib import Path
from mixcv.kernel.services.embedded import Services
services = Services(Path(sys.argv[1]), fsync=False)
services.start(command="hold")
print("started", flush=True)
time.sleep(60)
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "home"
    yield folder
    kill_all(processes_of(folder))


def names(home: Path) -> list[str]:
    found = []
    for process in processes_of(home):
        with contextlib.suppress(psutil.NoSuchProcess):  # it may end while one asks
            found.append(process.name())
    return found


def hold(home: Path) -> subprocess.Popen[str]:
    """Another process that owns the services until it is killed."""
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "started\n"
    return owner


def query(home: Path, sql: str) -> object:
    with psycopg.connect(
        host=str(runtime_dir(home)), user="mixcv", dbname="mixcv", autocommit=True
    ) as connection:
        cursor = connection.execute(sql)  # type: ignore[arg-type]
        return cursor.fetchone() if cursor.description else None


def test_it_starts_answers_and_leaves_no_process(home: Path) -> None:
    services = Services(home, fsync=False)
    services.start()
    assert services.running()
    assert query(home, "SELECT extname FROM pg_extension WHERE extname = 'vector'") == ("vector",)
    assert query(home, "SHOW listen_addresses") == ("",)
    assert runtime_dir(home).stat().st_mode & 0o777 == 0o700
    services.stop()
    assert names(home) == []
    assert not services.running()


def test_it_is_durable_by_default(home: Path) -> None:
    services = Services(home, fsync=True)
    services.start()
    try:
        assert query(home, "SHOW fsync") == ("on",)
        assert query(home, "SHOW synchronous_commit") == ("on",)
    finally:
        services.stop()


def test_it_recovers_after_everything_was_killed(home: Path) -> None:
    owner = hold(home)
    query(home, "CREATE TABLE kept AS SELECT 7 AS number")
    kill_all([psutil.Process(owner.pid), *processes_of(home)])
    owner.wait()
    assert (home / "postgres" / "postmaster.pid").exists()
    with ensure_services(home):
        assert query(home, "SELECT number FROM kept") == (7,)
    assert names(home) == []


def test_it_recovers_when_the_old_pid_belongs_to_a_stranger(home: Path) -> None:
    services = Services(home, fsync=False)
    services.start()
    services.stop()
    # This very process is alive and no PostgreSQL; by itself the server would refuse to start.
    (home / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{home / 'postgres'}\n0\n5432\n\n\n")
    with ensure_services(home):
        assert query(home, "SELECT 1") == (1,)


def test_services_end_when_only_their_owner_is_killed(home: Path) -> None:
    owner = hold(home)
    owner.kill()
    owner.wait()
    wait_until(lambda: not names(home), seconds=20, what="the guardian to end the services")
    with ensure_services(home):
        assert query(home, "SELECT 1") == (1,)


def test_the_next_start_ends_servers_that_outlived_owner_and_guardian(home: Path) -> None:
    services = Services(home, fsync=False)
    services.start()
    psutil.Process(services.guardian.pid).kill()
    services._children.clear()
    services.stop()
    assert "postgres" in names(home)
    with ensure_services(home):
        assert query(home, "SELECT 1") == (1,)


def test_two_homes_run_side_by_side(tmp_path: Path) -> None:
    with ensure_services(tmp_path / "a"), ensure_services(tmp_path / "b"):
        query(tmp_path / "a", "CREATE TABLE only_here ()")
        assert query(tmp_path / "a", "SELECT to_regclass('only_here') IS NULL") == (False,)
        assert query(tmp_path / "b", "SELECT to_regclass('only_here') IS NULL") == (True,)
    assert names(tmp_path) == []


def test_a_second_owner_is_refused_by_name(home: Path) -> None:
    services = Services(home, fsync=False)
    services.start(command="up", port=8123)
    try:
        with pytest.raises(HomeTaken, match=rf"process {os.getpid()} \(up\) at http://127.0.0.1:8123/"):
            Services(home, fsync=False).start()
    finally:
        services.stop()


def test_a_command_borrows_running_services_and_leaves_them(home: Path) -> None:
    owner = hold(home)
    with ensure_services(home):
        assert query(home, "SELECT 1") == (1,)
    assert Services(home).running()
    owner.send_signal(signal.SIGKILL)
    owner.wait()


def test_an_owner_waits_for_its_borrowers(home: Path) -> None:
    services = Services(home, fsync=False)
    services.start(command="first")
    stopping = threading.Thread(target=services.stop)
    with ensure_services(home, command="second"):
        stopping.start()
        time.sleep(0.5)
        assert query(home, "SELECT 1") == (1,)
    stopping.join(20)
    assert names(home) == []


def test_servers_named_in_the_environment_are_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody@somewhere/db")
    monkeypatch.setenv("REDIS_URL", "redis://somewhere")
    with ensure_services(home):
        assert names(home) == []


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServiceFailed, match=r"cannot be written to .* Set MIXCV_HOME"):
        make_home(tmp_path / "file" / "home")


def modes(*paths: Path) -> set[str]:
    return {f"{path.stat().st_mode & 0o777:o}" for path in paths}


def test_others_read_neither_sessions_nor_logs(home: Path) -> None:
    before = os.umask(0o022)
    try:
        with ensure_services(home):
            pass
    finally:
        os.umask(before)
    assert modes(home, home / "logs", home / "postgres", home / "valkey") == {"700"}
    kept = list((home / "valkey").rglob("*"))
    assert modes(*(path for path in kept if path.is_file())) == {"600"}
    assert modes(*(path for path in kept if path.is_dir())) == {"700"}


def test_a_folder_of_an_earlier_version_is_closed_and_a_given_one_keeps_its_mode(home: Path) -> None:
    (home / "valkey").mkdir(parents=True)
    (home / "logs").mkdir()
    for folder in (home, home / "valkey", home / "logs"):
        folder.chmod(0o755)
    make_home(home)
    assert modes(home) == {"755"}
    assert modes(home / "valkey", home / "logs") == {"700"}


ORPHAN = """
import os, sys, time
if os.fork():
    time.sleep(0.5)
    os._exit(0)
print(os.getpid(), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(("owner", "ended"), [("home", 1), ("another", 0)])
def test_a_group_whose_leader_died_is_ended_where_it_is_of_this_home(
    tmp_path: Path, owner: str, ended: int
) -> None:
    leader = subprocess.Popen(
        [sys.executable, "-c", ORPHAN],
        env={**os.environ, "MIXCV_HOME": str(tmp_path / owner)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert leader.stdout is not None
    child = psutil.Process(int(leader.stdout.readline()))
    record = tmp_path / "processes.json"
    leftovers.record_groups(record, [leader.pid])
    leader.wait()
    try:
        assert leftovers.end_recorded_groups(record, home=tmp_path / "home") == ended
        assert leftovers.is_live_process(child.pid) == (not ended)
    finally:
        kill_all([child])


def test_root_without_user_namespaces_hears_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = subprocess.CompletedProcess([], 1, "", "unshare: unshare failed: Operation not permitted\n")
    monkeypatch.setattr(postgres.subprocess, "run", lambda *_args, **_kwargs: refused)
    monkeypatch.setattr(postgres.os, "geteuid", lambda: 0)
    postgres.unprivileged.cache_clear()
    try:
        with pytest.raises(ServiceFailed, match=r"Operation not permitted.*another user.*DATABASE_URL"):
            postgres.unprivileged()
    finally:
        postgres.unprivileged.cache_clear()
