"""The doctor tells of what goes over the network unencrypted."""

from __future__ import annotations

import pytest

from flows.config.kafka import KafkaSection
from flows.doctor.kafka import _secured


@pytest.mark.parametrize(
    ("servers", "security", "mechanism", "state", "word"),
    [
        pytest.param("127.0.0.1:9092,localhost:1,[::1]:2", "plaintext", None, "ok", "", id="this host"),
        pytest.param("127.0.0.1:9092", "sasl_plaintext", "PLAIN", "ok", "", id="a login on this host"),
        pytest.param("kafka-1:9092", "sasl_ssl", "PLAIN", "ok", "", id="login and TLS"),
        pytest.param("kafka-1:9092", "ssl", None, "ok", "", id="TLS"),
        pytest.param(
            "127.0.0.1:1,10.0.0.7:9092", "plaintext", None, "warning", "10.0.0.7:9092", id="nothing"
        ),
        pytest.param("kafka-1:9092", "sasl_plaintext", "PLAIN", "warning", "password", id="password"),
        pytest.param("kafka-1:9092", "sasl_plaintext", "SCRAM-SHA-512", "warning", "records", id="records"),
    ],
)
def test_what_can_be_read_on_the_way_is_told(
    servers: str, security: str, mechanism: str, state: str, word: str
) -> None:
    section = KafkaSection(bootstrap_servers=servers, security=security, mechanism=mechanism)  # type: ignore[arg-type]
    finding = _secured(section)
    assert (finding.check, finding.state) == ("kafka.security", state)
    assert word in finding.found.en
    assert bool(finding.advice.zh) == (state == "warning")
    assert ("password" in finding.found.en) == (mechanism == "PLAIN" and state == "warning")
