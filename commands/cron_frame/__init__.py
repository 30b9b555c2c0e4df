"""`cron_frame`: exports a frame of a product feed, and delivers it."""
