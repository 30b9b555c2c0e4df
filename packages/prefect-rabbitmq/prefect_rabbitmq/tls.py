"""Encrypted connections: whom we believe, and how we prove who we are."""

from __future__ import annotations

import ssl
from pathlib import Path

import pika

from prefect_rabbitmq.errors import BadCredentials, reason_of


def ssl_options(
    host: str,
    *,
    ca_file: Path | None = None,
    client_certificate: Path | None = None,
    client_key: Path | None = None,
) -> pika.SSLOptions:
    """
    Return what pika needs for TLS; the broker's certificate and its name are always checked.

    Args:
        host: The name, or IP address, that the broker's certificate must be for.
        ca_file: PEM file of who may have signed it; by default those that the system trusts.
        client_certificate: PEM file of our own.
        client_key: PEM file of its key, if it is not in the same file.

    Raises:
        BadCredentials: A file cannot be read, or is no such file.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise BadCredentials(f"ca_file {ca_file}: {reason_of(error)}") from error
    if client_certificate:
        try:
            # With a password, if an empty one: nobody is there to be asked for it.
            context.load_cert_chain(client_certificate, client_key, password="")
        except OSError as error:
            files = f"client_certificate {client_certificate}"
            if client_key:
                files += f" with client_key {client_key}"
            raise BadCredentials(f"{files}: {reason_of(error)}") from error
    return pika.SSLOptions(context, server_hostname=host)
