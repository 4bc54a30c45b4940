"""One module a schema; they are loaded by Alembic, in order."""
