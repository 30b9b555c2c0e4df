"""The one way in which SMTP is spoken here: by notifications of runs, and by `cron_events`."""
