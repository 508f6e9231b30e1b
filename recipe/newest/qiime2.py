"""The name ``qiime2`` for the framework that is called rachis from 2026 on."""

import importlib
import importlib.util
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec

import rachis


class Alias(MetaPathFinder, Loader):
    """Finds ``qiime2.x`` as the very module ``rachis.x``, so that its classes exist once."""

    def find_spec(self, name, path=None, target=None):
        """Answer for modules of the framework; it makes ``qiime2.plugins.x`` itself."""
        if not name.startswith("qiime2.") or name.startswith("qiime2.plugins."):
            return None
        real = name.replace("qiime2", "rachis", 1)
        return ModuleSpec(name, self, loader_state=real) if importlib.util.find_spec(real) else None

    def create_module(self, spec):
        """Take the module that is there."""
        module = importlib.import_module(spec.loader_state)
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module):
        """Give the module its own specification back: the import has put the alias's there."""
        module.__spec__ = module.__spec__.loader_state


sys.meta_path.insert(0, Alias())
sys.modules["qiime2"] = rachis
