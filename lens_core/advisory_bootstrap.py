"""Joins the advisory sources that ``lens.toml`` names."""

from datetime import timedelta
from pathlib import Path

from lens_core.adapters.advisories_debian import DebianArchive
from lens_core.adapters.advisories_osv_api import OsvApi, Patience
from lens_core.adapters.advisories_osv_dir import OsvDirectory
from lens_core.adapters.apt_lists import AptLists
from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.adapters.vulnerability_gate import VulnerabilityGate
from lens_core.config import Settings
from lens_core.supply.advisories import AdvisorySource
from lens_core.supply.advisory_gates import AdvisoryPolicy
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


def vulnerability_gate(settings: Settings, ledger: SqlLedger) -> VulnerabilityGate:
    """The gate of a night, over the cuts of the home folder."""
    return VulnerabilityGate(
        settings.home,
        ledger.releases,
        open_releases(settings.home).trusted,
        advisory_sources(settings),
        settings.root / settings.cut.waivers,
        AdvisoryPolicy(timedelta(days=settings.cut.policy.max_data_age_days)),
    )
