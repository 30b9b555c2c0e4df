"""What Prefect's client metrics server shows of a worker, for Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

MESSAGES = Counter(
    "prefect_rabbitmq_messages_total",
    "Messages that came to an end, by outcome: the task run's final state in small letters,"
    " `rejected` (dead letter), or `dropped` (its flow run is over).",
    ["work_pool", "work_queue", "outcome"],
)
IN_FLIGHT = Gauge(
    "prefect_rabbitmq_messages_in_flight", "Messages whose tasks are running.", ["work_pool"]
)
WAITING = Gauge(
    "prefect_rabbitmq_messages_waiting", "Messages that were taken and wait.", ["work_pool"]
)
SECONDS = Histogram(
    "prefect_rabbitmq_message_seconds",
    "Seconds from a task's start to its end.",
    ["work_pool", "work_queue"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000),
)
RECONNECTS = Counter(
    "prefect_rabbitmq_reconnects_total", "Connections to RabbitMQ that were lost.", ["work_pool"]
)
DEATHS = Counter(
    "prefect_rabbitmq_task_process_deaths_total",
    "How often the process of the tasks was killed, by a task or from outside.",
    ["work_pool"],
)
