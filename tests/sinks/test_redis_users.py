"""The Redis users of docs/security.md: engine, takers and dashboards can work with them, and do no more."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.replay.processes import free_ports
from flows.replay.replaying import replay
from flows.scores.settings import ScoreSettings
from sinks.dispatch_client import DispatchClient
from sinks.redis_link import PASSWORD, RedisAwayError, RedisError, RedisLink
from sinks.redis_server import RedisServer, embedded_server, find_cli
from tests.redis_servers import ask, hash_of, redis_server, server_program
from tests.replays import make_city, replay_options
from tests.sinks.dispatch_stories import fill, moved

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
USERS = re.findall(r"^ACL SETUSER (\S+) (.*)$", GUIDE, re.MULTILINE)
SECRET = "a-long-secret"  # noqa: S105 - of a server that lives for one test


def as_user(url: str, name: str) -> str:
    return url.replace("redis://", f"redis://{name}:{SECRET}@")


def denied(url: str) -> set[str]:
    """The commands that Redis refused to someone."""
    logged = ask(url, ("ACL", "LOG"))[0]
    return {str(dict(zip(entry[::2], entry[1::2], strict=True))["object"]) for entry in logged}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A city that the engine's user has written; the dispatch queue has entries."""
    city = make_city(tmp_path_factory.mktemp("city"), sensors=200, minutes=15, seed=41)
    with redis_server() as running:
        for name, rules in USERS:
            words = rules.replace("SECRET", SECRET).split()
            assert ask(running.url, ("ACL", "SETUSER", name, *words)) == ["OK"]
        url = as_user(running.url, "yiwang")
        options = replay_options(city, tmp_path_factory.mktemp("out"), redis=url, anomaly=ScoreSettings())
        replay(options)
        fill(url, [moved(i, level=1 + i % 4) for i in range(6)])
        # What the library says of itself and the engine can do without.
        assert denied(running.url) <= {"client|setinfo", "client|setname"}
        yield running


def shell(url: str, folder: Path, document: str) -> subprocess.CompletedProcess[str]:
    """The result of the `redis-cli` lines of a document."""
    (folder / "redis-cli").symlink_to(find_cli())
    environment = os.environ | {"REDIS": url, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    command = ["/bin/sh", "-euc", script]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_there_are_the_three_users() -> None:
    assert [name for name, _ in USERS] == ["yiwang", "taker-420106", "dashboard"]
    assert all(" -@all " in f" {rules} " for _, rules in USERS)


def test_the_engine_writes_all_it_has_to_write(server: RedisServer) -> None:
    assert "watermark" in hash_of(server.url, "yw:meta")
    assert ask(server.url, ("XLEN", "yw:dispatch:420106"))[0] == 6


def test_a_taker_does_all_that_the_guide_shows_and_takes_by_the_client(
    server: RedisServer, tmp_path: Path
) -> None:
    ask(server.url, ("ACL", "LOG", "RESET"))
    done = shell(as_user(server.url, "taker-420106"), tmp_path, "dispatch.md")
    assert "NOPERM" not in done.stdout + done.stderr
    with DispatchClient(as_user(server.url, "taker-420106"), "crew", "crew-3") as client:
        entries = client.take(["420106"], 3)
        assert len(entries) == 3
        assert client.ack(entries[0])
        client.act("arrive", entries[1].incident_id)
        assert client.incident(entries[0].incident_id)
    assert denied(server.url) <= {"client|setinfo", "client|setname"}


def test_a_dashboard_reads_all_that_the_guide_shows(server: RedisServer, tmp_path: Path) -> None:
    ask(server.url, ("ACL", "LOG", "RESET"))
    done = shell(as_user(server.url, "dashboard"), tmp_path, "redis.md")
    assert (done.returncode, "NOPERM" in done.stdout + done.stderr) == (0, False)
    assert denied(server.url) == set()


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("yiwang", ("FLUSHALL",)),
        ("yiwang", ("CONFIG", "SET", "dir", ".")),
        ("yiwang", ("SET", "other", "1")),
        ("yiwang", ("HSET", "other", "a", "1")),
        ("yiwang", ("KEYS", "*")),
        ("yiwang", ("ACL", "LIST")),
        ("yiwang", ("MODULE", "LIST")),
        ("taker-420106", ("HSET", "yw:incident:1", "status", "closed")),
        ("taker-420106", ("XADD", "yw:dispatch:420102", "*", "a", "1")),
        ("taker-420106", ("XTRIM", "yw:dispatch:420106", "MAXLEN", "0")),
        ("taker-420106", ("XRANGE", "yw:dispatch:420102", "-", "+")),
        ("taker-420106", ("DEL", "yw:dispatch:420106")),
        ("taker-420106", ("FLUSHDB",)),
        ("dashboard", ("HSET", "yw:meta", "city", "x")),
        ("dashboard", ("XADD", "yw:feedback", "*", "payload", "{}")),
        ("dashboard", ("EVAL", "return 1", "0")),
        ("dashboard", ("CONFIG", "GET", "*")),
    ],
)
def test_nobody_does_what_is_not_his(server: RedisServer, user: str, command: tuple[str, ...]) -> None:
    with pytest.raises(RedisError, match="permission"):
        ask(as_user(server.url, user), command)


def test_a_wrong_password_is_refused_and_not_shown(server: RedisServer) -> None:
    with pytest.raises(RedisError, match="refuses the login") as caught:
        ask(server.url.replace("redis://", "redis://yiwang:guessed-it@"), ("PING",))
    assert "guessed-it" not in str(caught.value)


def certificates(folder: Path) -> None:
    """An authority of our own, the server's key and certificate from it, and another authority."""

    def openssl(*words: str) -> None:
        subprocess.run(
            [shutil.which("openssl") or "openssl", *words], cwd=folder, check=True, capture_output=True
        )

    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.pem")  # fmt: skip
    openssl(
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=redis",
        "-keyout",
        "redis.key",
        "-out",
        "redis.csr",
    )
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "redis.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2",
            "-extfile", "names", "-out", "redis.pem")  # fmt: skip


def test_the_engine_speaks_tls_and_only_with_a_server_it_can_know(tmp_path: Path) -> None:
    program = server_program()
    asked = subprocess.run([program, "--tls-port", "no"], capture_output=True, text=True, check=False)
    if shutil.which("openssl") is None or "Bad directive" in asked.stdout + asked.stderr:
        pytest.skip("this redis-server or machine has no TLS")
    certificates(tmp_path)
    plain, secret = free_ports(2)
    options = (
        *(
            "--tls-port",
            str(secret),
            "--tls-auth-clients",
            "no",
            "--tls-ca-cert-file",
            str(tmp_path / "ca.pem"),
        ),
        *("--tls-cert-file", str(tmp_path / "redis.pem"), "--tls-key-file", str(tmp_path / "redis.key")),
    )
    with embedded_server(plain, program=program, options=options):
        url = f"rediss://127.0.0.1:{secret}/0"
        with RedisLink(f"{url}?ssl_ca_certs={tmp_path / 'ca.pem'}", patience=5) as link:
            assert link.send([("PING",)]) == [b"PONG"]
        with RedisLink(f"{url}?ssl_ca_certs={tmp_path / 'other.pem'}", patience=0.5) as link:
            with pytest.raises(RedisAwayError, match="certificate verify failed") as caught:
                link.send([("PING",)])
            assert "ssl_ca_certs" not in str(caught.value)


def test_a_password_comes_from_the_environment(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    url = server.url.replace("redis://", "redis://taker-420106@")
    monkeypatch.setenv(PASSWORD, SECRET)
    assert ask(url, ("PING",)) == ["PONG"]
    monkeypatch.setenv(PASSWORD, "wrong")
    with pytest.raises(RedisError, match="refuses the login"):
        ask(url, ("PING",))


@pytest.mark.parametrize("url", ["redis//:hidden@a", "http://u:hidden@a:1", "redis+sentinel://u:hidden@a:1"])
def test_an_error_about_an_address_does_not_show_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="write redis") as caught:
        RedisLink(url)
    assert "hidden" not in str(caught.value)
