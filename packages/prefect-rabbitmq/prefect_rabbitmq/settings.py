"""
What can be set for a work pool and its workers.

For the pool in its base job template, which Prefect's UI edits; for one worker in its environment,
which wins.
"""

from __future__ import annotations

from typing import Annotated, Any

from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import WorkPool
from pydantic import BaseModel, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from prefect_rabbitmq.credentials import RabbitMQCredentials
from prefect_rabbitmq.errors import NoCredentials

ENVIRONMENT_PREFIX = "PREFECT_RABBITMQ_"


class WrongSetting(ValueError):
    """A variable of the work pool, or of the environment, has a value that it cannot have."""


class Limits(BaseModel):
    """How a worker takes and runs messages; also variables of the base job template."""

    concurrency: int = Field(
        default=8, ge=1, description="Tasks that a worker runs at once, in threads of one process."
    )
    prefetch: int = Field(
        default=4,
        ge=0,
        description="Messages of a work queue that a worker holds ready beyond those that it runs.",
    )
    time_limit_seconds: float = Field(
        default=0,
        ge=0,
        description="After so many seconds a worker finishes what it has and exits; 0: never.",
    )
    message_limit: int = Field(
        default=0,
        ge=0,
        description="After so many messages a worker finishes what it has and exits; 0: never.",
    )
    memory_limit_mb: float = Field(
        default=0,
        ge=0,
        description="When its tasks' process holds so many megabytes of memory a worker finishes "
        "what it has and exits; 0: never.",
    )
    delivery_limit: int = Field(
        default=20,
        ge=1,
        description="After so many deliveries without an end a message goes to the dead letters. "
        "One that kills its process, although it runs alone, goes there after at most three.",
    )
    task_modules: list[str] = Field(
        default_factory=list,
        description="Python modules whose tasks messages may name, e.g. my_project.tasks.",
    )


class WorkerSettings(BaseSettings):
    """The environment's part: PREFECT_RABBITMQ_CONCURRENCY and so on; unset is None."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    concurrency: int | None = None
    prefetch: int | None = None
    time_limit_seconds: float | None = None
    message_limit: int | None = None
    memory_limit_mb: float | None = None
    delivery_limit: int | None = None
    task_modules: Annotated[list[str] | None, NoDecode] = None

    @field_validator("task_modules", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value


def limits_of(template: dict[str, Any]) -> Limits:
    """
    Return what holds for a worker of a pool.

    Args:
        template: The pool's base job template.

    Raises:
        WrongSetting: A value is wrong; says which.
    """
    properties = template.get("variables", {}).get("properties", {})
    named = {
        name: properties[name]["default"]
        for name in Limits.model_fields
        if properties.get(name, {}).get("default") is not None
    }
    try:
        named |= WorkerSettings().model_dump(exclude_none=True)
        return Limits.model_validate(named)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise WrongSetting(
            f"{where} of the work pool, or {ENVIRONMENT_PREFIX}{where.upper()}: {first['msg']}"
        ) from None


def template_credentials(template: dict[str, Any]) -> RabbitMQCredentials | None:
    """
    Return the credentials that a worker uses: the environment's, or else the pool's.

    Raises:
        WrongSetting: The pool names a block that is not there, or is of another type.
    """
    if found := RabbitMQCredentials.from_environment():
        return found
    variable = template.get("variables", {}).get("properties", {}).get("credentials", {})
    reference = (variable.get("default") or {}).get("$ref", {})
    document = reference.get("block_document_id") if isinstance(reference, dict) else None
    if document is None:
        return None
    block = Block.load_from_ref({"block_document_id": document})
    if not isinstance(block, RabbitMQCredentials):
        raise WrongSetting("the pool's credentials are a block of another type")
    return block


def pool_credentials(work_pool: str) -> RabbitMQCredentials:
    """
    Return the credentials for publishing to a work pool; asks the API if the environment is silent.

    Raises:
        NoCredentials: There are none.
    """
    if found := RabbitMQCredentials.from_environment():
        return found
    with get_client(sync_client=True) as client:
        pool: WorkPool = client.read_work_pool(work_pool)
    if found := template_credentials(pool.base_job_template):
        return found
    raise NoCredentials(
        f"no credentials for RabbitMQ: set {ENVIRONMENT_PREFIX}URL, give the task runner"
        f" `credentials`, or choose a credentials block in the work pool {work_pool}"
    )
