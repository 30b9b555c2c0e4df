"""
Jobs from many emitters into many groups, while RabbitMQ is restarted.

`python -m tests.chaos.jobs --help`.
"""
