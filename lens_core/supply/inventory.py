"""All that an image says of its packages, in one look."""

from lens_core.supply.distributions import read_distributions
from lens_core.supply.packages import Inventory, read_debs, read_distro
from lens_core.supply.rootfs import RootFs


def take_inventory(rootfs: RootFs) -> Inventory:
    """Debian packages and Python distributions, by purl, and what is wrong with their records."""
    distro = read_distro(rootfs)
    debs, deb_problems = read_debs(rootfs, distro)
    distributions, python_problems = read_distributions(rootfs)
    packages = sorted([*debs, *distributions], key=lambda package: (package.purl, package.root))
    return Inventory(tuple(packages), distro, (*deb_problems, *python_problems))
