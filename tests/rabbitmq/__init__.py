"""A work pool fed by RabbitMQ, with a worker and its tasks, for tests in any folder."""
