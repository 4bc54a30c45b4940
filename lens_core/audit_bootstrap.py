"""Joins the audit log's adapters: ``trail_of(settings)`` for whoever writes to the ledger."""

from lens_core.adapters.audit_anchors import anchors_of
from lens_core.adapters.audit_log import Trail
from lens_core.adapters.own_keys import AUDIT, key_folder, own_key, public_folder
from lens_core.config import Settings
from lens_core.supply.words import Signer


def trail_of(settings: Settings) -> Trail:
    """What every ledger of ``settings`` is written with; InvalidInput for an anchor that is none.

    The key is looked for, or made, when something is written: opening a ledger to read it needs none.
    """
    home, audit = settings.home, settings.audit

    def signer() -> Signer:
        return own_key(AUDIT, key_folder(home, audit.key_folder), public_folder(home))

    anchors = anchors_of(audit.anchors, home, audit.timeout_s)
    return Trail(signer, anchors, rest_s=audit.every_s)
