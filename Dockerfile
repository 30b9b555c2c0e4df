# One image for the Prefect server, the one-shot deploy and the workers: docker-compose.yml says
# which of them a container is.

# Every distribution of the lock, verified by its hash, and our two, as wheels.
FROM python:3.11-slim-bookworm AS wheels
WORKDIR /source
COPY requirements.lock .
RUN pip wheel --no-cache-dir --no-deps --require-hashes --wheel-dir /wheels -r requirements.lock
# What builds our own wheels is in the lock, too.
RUN pip install --no-cache-dir --no-index --find-links /wheels hatchling
COPY . .
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels \
    . ./packages/prefect-rabbitmq

FROM python:3.11-slim-bookworm
# `host` is what the check host-program runs.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bind9-host \
    && rm -rf /var/lib/apt/lists/*
# Without an index, only what was verified above can be installed, and of that only what the two
# depend on: neither tests nor linters.
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels rollcall prefect-rabbitmq
# A volume that is mounted on /data gets the owner that the folder has here.
RUN useradd --uid 10001 --create-home rollcall \
    && install -d -o rollcall -g rollcall /data /data/inbox
WORKDIR /app
COPY prefect.yaml .
USER rollcall
ENV PYTHONUNBUFFERED=1 DO_NOT_TRACK=1 ROLLCALL_HOME=/data
HEALTHCHECK NONE
CMD ["prefect", "worker", "start", "--pool", "checks", "--type", "rabbitmq"]
