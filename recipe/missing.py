"""Print the requirements of q2-aam that this Python lacks, one per line.

Usage: python recipe/missing.py FOLDER PURPOSE. The folder holds q2_aam.egg-info; the purpose is
demo, test, lint, install or dev.
"""

import sys
from importlib.metadata import PackageNotFoundError, distributions, version

from packaging.requirements import Requirement

EXTRAS = {"demo": [], "install": [], "test": ["test"], "dev": ["test", "dev"], "lint": ["dev"]}


def main(folder: str, purpose: str) -> None:
    """Print each requirement that is missing or too old."""
    (plugin,) = distributions(path=[folder])
    for text in plugin.requires or []:
        requirement = Requirement(text)
        if wanted(requirement, purpose) and not satisfied(requirement):
            print(f"{requirement.name}{requirement.specifier}")


def wanted(requirement: Requirement, purpose: str) -> bool:
    """Tell whether a requirement, or the extra it belongs to, is needed for the purpose."""
    if requirement.marker is None:
        return purpose != "lint"
    return any(requirement.marker.evaluate({"extra": extra}) for extra in EXTRAS[purpose])


def satisfied(requirement: Requirement) -> bool:
    """Tell whether it is installed in a version that will do."""
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False


if __name__ == "__main__":
    main(*sys.argv[1:])
