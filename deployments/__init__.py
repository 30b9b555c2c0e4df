"""How Rollcall is run: embedded from a terminal, and by deployments of `prefect.yaml`."""
