"""Joins the advisory sources that ``lens.toml`` names."""

from datetime import datetime, timedelta
from pathlib import Path

from lens_core.adapters.advisories_debian import DebianArchive
from lens_core.adapters.advisories_osv_api import OsvApi, Patience
from lens_core.adapters.advisories_osv_dir import OsvDirectory
from lens_core.adapters.apt_lists import AptLists
from lens_core.adapters.signoff_ledger import SqlStatements
from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.adapters.vulnerability_gate import VulnerabilityGate
from lens_core.audit_bootstrap import trail_of
from lens_core.config import Settings
from lens_core.model import Release
from lens_core.signature_bootstrap import open_signatures
from lens_core.stated_waivers import stated_waivers
from lens_core.supply.advisories import AdvisorySource
from lens_core.supply.advisory_gates import AdvisoryPolicy
from lens_core.supply.vex import with_waivers
from lens_core.verify_bootstrap import open_releases

_APT_LISTS, _KEYRING = Path("/var/lib/apt/lists"), Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def advisory_sources(settings: Settings) -> tuple[AdvisorySource, ...]:
    """The advisory sources that are configured."""
    cut, home = settings.cut, settings.home
    found: list[AdvisorySource] = []
    if cut.osv_dir:
        found.append(OsvDirectory(settings.root / cut.osv_dir))
    if cut.osv_api:
        found.append(OsvApi(cut.osv_api, patience=Patience(timeout_s=cut.advisories_timeout_s)))
    if cut.debian_archive:
        lists = AptLists(_APT_LISTS, _KEYRING, timeout_s=cut.advisories_timeout_s)
        found.append(DebianArchive(lists, home / "cache" / "newer-debs"))
    return tuple(found)


def vex_file(settings: Settings) -> bytes | None:
    """The file of waivers as it lies there; None without one."""
    file = settings.root / settings.cut.waivers
    return file.read_bytes() if file.is_file() else None


def vulnerability_gate(settings: Settings, ledger: SqlLedger) -> VulnerabilityGate:
    """The gate of a night, over the cuts of the home folder; waivers are those of the file and those stated."""
    statements = SqlStatements(settings.home / "lens.db", trail_of(settings))
    signatures = open_signatures(settings)
    rules = settings.signoff.rules(())

    def waivers(release: Release, now: datetime) -> bytes | None:
        return with_waivers(vex_file(settings), stated_waivers(statements, signatures, rules, release, now))

    return VulnerabilityGate(
        settings.home,
        ledger.releases,
        open_releases(settings.home).trusted,
        advisory_sources(settings),
        waivers,
        AdvisoryPolicy(timedelta(days=settings.cut.policy.max_data_age_days)),
    )
