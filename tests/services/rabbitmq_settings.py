"""The files and the environment that make a RabbitMQ server a private one."""

import os
from pathlib import Path

from tests.services.processes import free_port

__all__ = ["write_settings"]

CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management_port}
default_user = {user}
default_pass = {password}
default_user_tags.administrator = true
loopback_users = none
log.console = true
log.console.level = info
log.file = false
# Bytes. With the default, a machine that is short of disk would block publishers.
disk_free_limit.absolute = 1000000
# How old what the management API tells may be, in milliseconds, and in seconds.
collect_statistics_interval = 500
management.sample_retention_policies.global.minute = 1
management.sample_retention_policies.basic.minute = 1
management.sample_retention_policies.detailed.minute = 1
# Bytes; by default half a gigabyte is kept in memory before it is written to segments.
raft.wal_max_size_bytes = 32000000
"""
#: Two cores are enough, and waiting does not need one.
ERLANG = (
    "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
)


def write_settings(
    directory: Path,
    *,
    port: int,
    management_port: int,
    epmd_port: int,
    user: str,
    password: str,
) -> dict[str, str]:
    """
    Write a server's configuration.

    Args:
        directory: For all its files.
        port: For AMQP.
        management_port: For HTTP.
        epmd_port: Where Erlang's port mapper listens.
        user: The administrator, who is made when there are no data.
        password: Theirs, of letters and digits.

    Returns:
        The whole environment that leads the server to it.
    """
    configuration, plugins = directory / "rabbitmq.conf", directory / "plugins"
    configuration.write_text(
        CONFIGURATION.format(
            port=port, management_port=management_port, user=user, password=password
        )
    )
    plugins.write_text("[rabbitmq_management].\n")
    return _environment(directory, epmd_port) | {
        "RABBITMQ_NODENAME": f"rollcall-{port}@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_CONFIG_FILE": str(configuration),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
    }


def _environment(directory: Path, epmd_port: int) -> dict[str, str]:
    private = ("RABBITMQ_", "ERL_", "PREFECT_", "ROLLCALL_")
    ours = {name: value for name, value in os.environ.items() if not name.startswith(private)}
    return ours | {
        # Erlang's cookie is there.
        "HOME": str(directory),
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        # Not that of the machine: there is no such file.
        "RABBITMQ_CONF_ENV_FILE": str(directory / "none"),
        "RABBITMQ_MNESIA_BASE": str(directory / "data"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_PID_FILE": str(directory / "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG,
        # Its script then becomes the server, instead of waiting for it as a shell.
        "RUNNING_UNDER_SYSTEMD": "true",
    }
