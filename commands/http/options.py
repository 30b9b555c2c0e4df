"""What a user may set of `http`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from commands.command import Options

#: Whoever runs this puts an address here at which they can be asked to stop.
USER_AGENT = "Rollcall/0.1 (+https://example.org/about-this-rollcall)"

Port = Annotated[int, Field(ge=1, le=65_535)]


class HttpOptions(Options):
    """The options of `http`."""

    path: str = Field(
        default="/",
        description="What is asked for, with its query: printable ASCII that begins with a slash.",
        pattern=r'^/[!"$-~]*$',
        max_length=1_000,
    )
    scheme: Literal["https-then-http", "https", "http"] = Field(
        default="https-then-http",
        description="`https-then-http` tries HTTP where nothing accepts connections for HTTPS; "
        "a certificate that is not good is told, not got round.",
    )
    method: Literal["GET", "HEAD"] = Field(
        default="GET", description="With HEAD there is neither body nor title."
    )
    max_hops: int = Field(
        default=5, ge=0, le=20, description="Redirects that are followed; 0 follows none."
    )
    max_body_bytes: int = Field(
        default=65_536,
        ge=0,
        le=1_048_576,
        description="So much of the last answer's body is read; the rest is not waited for.",
    )
    verify: bool = Field(
        default=True,
        description="Whether a certificate must be good; the authorities are certifi's, or those "
        "of the environment variable SSL_CERT_FILE of the worker.",
    )
    http2: bool = Field(default=True, description="Whether HTTP/2 is offered, with HTTPS only.")
    user_agent: str = Field(
        default=USER_AGENT,
        description="Who asks: a name, and where they can be reached.",
        pattern=r"^[!-~]([ -~]*[!-~])?$",
        max_length=200,
    )
    ports: tuple[Port, ...] = Field(
        default=(80, 443),
        max_length=20,
        description="Where a redirect may lead to, besides `http_port` and `https_port`.",
    )
    http_port: Port = Field(default=80, description="The first port that is asked for HTTP.")
    https_port: Port = Field(default=443, description="The first port that is asked for HTTPS.")

    @property
    def first_schemes(self) -> tuple[str, ...]:
        """The schemes to begin with, the next one where nothing accepts connections."""
        return tuple(self.scheme.split("-then-"))

    @property
    def allowed_ports(self) -> frozenset[int]:
        """The ports that may be connected to."""
        return frozenset({*self.ports, self.http_port, self.https_port})
