"""Every usage example runs, with its assertions."""

import pytest
import qiime2.sdk
from qiime2.sdk.usage import ExecutionUsage


def actions():
    """Name all actions of the plugin that interfaces show."""
    return [name for name in qiime2.sdk.PluginManager().plugins["aam"].actions if name[0] != "_"]


@pytest.mark.parametrize("name", actions())
def test_example_runs(name):
    action = qiime2.sdk.PluginManager().plugins["aam"].actions[name]
    assert action.examples
    for example in action.examples.values():
        example(ExecutionUsage())
