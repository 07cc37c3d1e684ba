"""Whether the cluster takes the transactions by which results are written once over a crash."""

from __future__ import annotations

from flows.config.configuration import Configuration
from flows.doctor.findings import Finding, Findings, ok, skipped, warning, wrong
from flows.doctor.topics import Known
from sinks.kafka_transactions import KafkaTransactions
from sinks.kafka_types import KafkaAwayError, KafkaRefusedError, KafkaSettings

_STATE = "__transaction_state"
_COPIES = "transaction.state.log.replication.factor"
_OFF = (
    "or set transactions = false in [kafka]: after a crash alerts and dead letters may then stand twice",
    "或在 [kafka] 设 transactions = false：崩溃后告警与死信可能重复",
)


def transactions(known: Known, settings: KafkaSettings, config: Configuration, *, probe: bool) -> Findings:
    """Findings on transactions; ``probe``: begin some under an id like the engine's own."""
    if config.engine.recovery is None:
        return
    if not config.kafka.transactions:
        yield warning(
            "kafka.transactions",
            ("they are switched off", "已关闭事务"),
            (
                "set transactions = true: after a crash alerts and dead letters may stand twice",
                "请设 transactions = true：否则崩溃后告警与死信可能重复",
            ),
        )
        return
    few = _few_copies(known)
    if few is not None:
        yield few
    elif probe:
        yield _tried(settings, f"{config.kafka.group}-")
    else:
        yield skipped("kafka.transactions", "not tried", "未试")


def _few_copies(known: Known) -> Finding | None:
    """Brokers that want more copies of their state than they are never begin a transaction."""
    if _STATE in known.topics:
        return None
    try:
        wanted = int(known.admin.broker_options(next(iter(known.brokers))).get(_COPIES, "1"))
    except (KafkaAwayError, KafkaRefusedError):
        # Whether it works is tried in any case.
        return None
    count = len(known.brokers)
    if wanted <= count:
        return None
    return wrong(
        "kafka.transactions",
        (
            f"brokers want {wanted} copies of the state of transactions, and there are {count} brokers",
            f"broker 要求事务状态有 {wanted} 个副本，而 broker 只有 {count} 个",
        ),
        (
            f"set {_COPIES}={count} on the brokers, {_OFF[0]}",
            f"在 broker 上设 {_COPIES}={count}，{_OFF[1]}",
        ),
    )


def _tried(settings: KafkaSettings, beginning: str) -> Finding:
    try:
        KafkaTransactions(settings, f"{beginning}doctor").close()
    except (KafkaAwayError, KafkaRefusedError) as error:
        return wrong(
            "kafka.transactions",
            (str(error), str(error)),
            (
                f"let the user Write and Describe transactional ids that begin with {beginning!r}, {_OFF[0]}",
                f"为该用户授予以 {beginning} 开头的事务 ID 的 Write、Describe 权限，{_OFF[1]}",
            ),
        )
    return ok("kafka.transactions", "can be written", "可写入")
