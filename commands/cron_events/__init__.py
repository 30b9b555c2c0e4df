"""`cron_events`: mails what has ended, changed and failed since the last mail to subscribers."""
