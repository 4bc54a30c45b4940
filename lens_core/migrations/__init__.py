"""Alembic's steps from each schema of the ledger to the next. ``adapters/ledger_schema`` takes them.

A step is named by the schema that it leads to, and says in plain DDL what changed then: it never asks today's tables
what they are. Only the file's own ``user_version`` says where a ledger stands, so that no second stamp can disagree.
"""
