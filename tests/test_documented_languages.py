"""The Java and Go programs of docs/dispatch.md, compiled and run against a real Redis where the tools are.

With ``YIWANG_TEST_LANGUAGES`` (``java go``, say) the languages it names must be there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.decoding.decode import decode_feedback
from sinks.redis_server import RedisServer
from tests.redis_servers import ask, entries_of, redis_server
from tests.sinks.dispatch_stories import fill, moved

DOCS = Path(__file__).resolve().parents[1] / "docs"
JEDIS, JSON = "5.2.0", "20240303"
GO_REDIS = "v9.7.0"

JAVA = """
import java.util.*;
import org.json.JSONObject;
import redis.clients.jedis.*;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.params.*;
import redis.clients.jedis.resps.StreamEntry;

public class Taker {
    public static void main(String[] arguments) {
%s
    }
}
"""

POM = f"""
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>example</groupId><artifactId>taker</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>redis.clients</groupId><artifactId>jedis</artifactId><version>{JEDIS}</version></dependency>
    <dependency><groupId>org.json</groupId><artifactId>json</artifactId><version>{JSON}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""

GO = """
package main

import (
    "context"
    "encoding/json"
    "time"

    "github.com/redis/go-redis/v9"
)

func main() {
    ctx := context.Background()
%s
}
"""


def program(guide: str, language: str) -> str:
    (found,) = re.findall(
        rf"^```{language}\n(.*?)^```", (DOCS / guide).read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    return str(found)


def call(*command: str, folder: Path) -> str:
    """What a command prints; its own words where it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def demand(language: str, reason: str) -> None:
    """Skip a test whose tools are not there, unless they must be."""
    insisted = os.environ.get("YIWANG_TEST_LANGUAGES", "").split()
    assert language not in insisted, reason
    pytest.skip(reason)


def run_java(text: str, folder: Path) -> None:
    (folder / "pom.xml").write_text(POM)
    (folder / "Taker.java").write_text(JAVA % text)
    copy = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
    call("mvn", "-q", "-B", copy, "-DoutputDirectory=jars", folder=folder)
    call("javac", "-Xlint:all", "-Werror", "-cp", "jars/*", "Taker.java", folder=folder)
    call("java", "-cp", f"jars/*{os.pathsep}.", "Taker", folder=folder)


def run_go(text: str, folder: Path) -> None:
    (folder / "go.mod").write_text("module taker\n\ngo 1.19\n")
    (folder / "main.go").write_text(GO % text)
    try:
        call("go", "get", f"github.com/redis/go-redis/v9@{GO_REDIS}", folder=folder)
    except AssertionError as error:
        demand("go", f"the Go library cannot be had: {error}")
    call("go", "vet", ".", folder=folder)
    call("go", "run", ".", folder=folder)


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis whose district 420106 has three entries."""
    with redis_server() as running:
        fill(running.url, [moved(i) for i in range(3)])
        yield running


def acknowledged(server: RedisServer, taker: str) -> bool:
    """Whether the three entries are, by records of the wire that this taker sent."""
    payloads = [entry["payload"] for entry in entries_of(server.url, "yw:feedback")]
    _, rejects = decode_feedback([payload.encode() for payload in payloads])
    (pending,) = ask(server.url, ("XPENDING", "yw:dispatch:420106", "work"))
    told = [(record["action"], record["actor"]) for record in map(json.loads, payloads)]
    return not rejects and pending[0] == 0 and told == [("acknowledge", taker)] * 3


@pytest.mark.slow
@pytest.mark.parametrize("guide", ["dispatch.md", "dispatch.zh-CN.md"])
def test_the_java_program_takes_and_acknowledges(server: RedisServer, tmp_path: Path, guide: str) -> None:
    missing = [tool for tool in ("mvn", "javac", "java") if not shutil.which(tool)]
    if missing:
        demand("java", f"not on PATH: {', '.join(missing)}")
    run_java(program(guide, "java").replace("redis://127.0.0.1:6379/0", server.url), tmp_path)
    assert acknowledged(server, "crew-4")


@pytest.mark.slow
@pytest.mark.parametrize("guide", ["dispatch.md", "dispatch.zh-CN.md"])
def test_the_go_program_takes_and_acknowledges(server: RedisServer, tmp_path: Path, guide: str) -> None:
    if not shutil.which("go"):
        demand("go", "not on PATH: go")
    address = server.url.removeprefix("redis://").removesuffix("/0")
    run_go(program(guide, "go").replace("127.0.0.1:6379", address), tmp_path)
    assert acknowledged(server, "crew-5")
