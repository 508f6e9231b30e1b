"""The name ``qiime2`` for the framework that is called rachis from 2026 on."""

import importlib
import importlib.abc
import importlib.machinery
import sys

import rachis


class Alias(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds ``qiime2.x`` as the very module ``rachis.x``, so that its classes exist once."""

    def find_spec(self, name, path=None, target=None):
        if not name.startswith("qiime2.") or name.startswith("qiime2.plugins."):
            return None
        try:
            self.found = importlib.import_module(name.replace("qiime2", "rachis", 1))
        except ModuleNotFoundError:
            return None
        return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec):
        module = importlib.import_module(spec.name.replace("qiime2", "rachis", 1))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module):
        module.__spec__ = module.__spec__.loader_state


sys.meta_path.insert(0, Alias())
sys.modules["qiime2"] = rachis
