"""The tests: they mirror the folders, and what they talk to is real."""
