"""Mail to subscribers: the outbox behind the command `cron_events`, and who subscribes."""
