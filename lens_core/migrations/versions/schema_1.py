"""Schema 1: candidates and nights. Nothing leads to it: it is what the first ledgers were."""

revision = "1"
down_revision = None


def upgrade() -> None:
    """Nothing: a ledger that is older than every schema does not exist."""
