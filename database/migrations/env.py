"""Alembic's entry: migrates the connection that `database.engine` hands over."""

from alembic import context

from database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
