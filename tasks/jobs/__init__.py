"""Jobs: commands with a payload that wait on work queues; see ARCHITECTURE.md."""
