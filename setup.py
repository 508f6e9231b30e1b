"""Installs q2-aam: what QIIME 2 itself brings is left to the QIIME 2 distribution."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
README = HERE / "README.md"


def read_version() -> str:
    """Return the package's version without importing the package."""
    text = (HERE / "q2_aam" / "__init__.py").read_text()
    return re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE).group(1)


setup(
    name="q2-aam",
    version=read_version(),
    description="Attention All Microbes: transformers for microbiome samples in QIIME 2",
    long_description=README.read_text(encoding="utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    author="The q2-aam developers",
    license="BSD-3-Clause",
    python_requires=">=3.10",
    packages=find_packages(include=["q2_aam", "q2_aam.*"]),
    package_data={
        "q2_aam": ["citations.bib"],
        "q2_aam.encoders": ["*.json", "*.npy", "*.safetensors", "README.md"],
        "q2_aam.demo_data": ["*.qza", "*.tsv", "*.md"],
        "q2_aam.report": ["templates/*", "templates/*/*"],
    },
    # Never list what the QIIME 2 distribution owns (numpy, pandas, scipy, h5py, biom-format,
    # scikit-bio, scikit-learn, qiime2, q2-*): pip would replace it and break other plugins.
    install_requires=[
        "accelerate>=1.0",
        "altair>=5.4",
        "decorator>=4.4",
        "psutil>=5.9",
        "safetensors>=0.4.5",
        "tensorboard>=2.18",
        "torch>=2.3",
        "tqdm>=4.66",
        "vl-convert-python>=1.7",
    ],
    extras_require={
        "test": ["pytest", "pytest-timeout", "pytest-xdist"],
        "dev": ["ruff"],
        "fuzz": ["atheris"],
    },
    entry_points={"qiime2.plugins": ["q2-aam=q2_aam.plugin_setup:plugin"]},
    zip_safe=False,
)
