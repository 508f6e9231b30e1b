"""Break one guard after another and see a test turn red; a guard that can go unnoticed is none.

    python tests/mutations.py            all of them (about ten seconds each)
    python tests/mutations.py 6 15       those of rows 6 and 15 only

Rows are those that tests are named by (``test_row_6_…``). Works in a copy of the tree; ends with an
error if a mutation survives, or does not fit the source any more.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
LONGEST, TOO_LONG = 600, -1  # seconds of one test, and what stands for an exit code then


class Mutation(NamedTuple):
    """A guard to break: in which file, which text becomes what, and the test that must notice."""

    row: int
    test: str
    file: str
    old: str
    new: str


# Row and test; below, what the test must notice: file, text ==> what it becomes. Names in brackets
# are parameters of the test; a backslash at an end joins lines.
GUARDS = r"""
1 trust/test_damage.py::test_row_1_no_damage_changes_the_weights
  storage/manifest.py: if manifest[name] != _describe(folder / name): ==> if False:
  storage/model.py:     manifest.check_sum(folder, WEIGHTS, sums)\n ==>
1 trust/test_damage.py::test_row_1_no_damage_changes_a_training_log
  [False] storage/training_log.py: except (ValueError, KeyError) as ==> except KeyError as
  [False] storage/manifest.py: except (ValueError, OSError) as error: ==> except OSError as error:
  [True] storage/manifest.py: if manifest[name] != _describe(folder / name): ==> if False:
2 trust/test_hostile_files.py::test_row_2_headers_made_by_hand
  [absurd_length] storage/model.py: if length > _LARGEST_HEADER: ==> if False:
  [header_over_the_limit] storage/model.py: _LARGEST_HEADER = 2**20 ==> _LARGEST_HEADER = 2**40
  [cut_header] storage/model.py: if len(content) < length: ==> if False:
  [overlap] storage/model.py: if begin != position or end - begin != size: ==> if False:
  [hole] storage/model.py: if begin != position or ==> if begin < position or
  [trailing_bytes] storage/model.py: if path.stat().st_size != start + position: ==> if False:
  [duplicate_key] storage/manifest.py: object_pairs_hook=table,  ==>
  [missing_tensor] storage/model.py: if missing:\n        raise damaged(path.name, ==> \
if False:\n        raise damaged(path.name,
  [extra_tensor] storage/model.py:     if extra: ==>     if False:
  [not_utf8] storage/manifest.py: content.decode("utf-8") ==> content.decode("latin-1")
  [deep_nesting] storage/manifest.py: except RecursionError ==> except KeyError
  [values_that_are_not_finite] storage/model.py: if not np.isfinite(part).all(): ==> if False:
2 trust/test_hostile_files.py::test_row_2_what_a_tensor_may_not_say_of_itself
  storage/model.py: if entry["dtype"] != dtype: ==> if False:
  storage/model.py: if not _are_whole(found) or found != list(shape): ==> if False:
  storage/model.py: or found != list(shape): ==> or False:
2 trust/test_hostile_files.py::test_what_is_no_file_is_named
  storage/model.py: if missing:\n        raise damaged(m ==> if False:\n        raise damaged(m
2 trust/test_hostile_files.py::test_row_2_positions_out_of_range_are_refused_though_the_sums_fit
  storage/model.py: part.min() < 0 or part.max() > largest[name] ==> part.min() < 0
  storage/model.py: part.min() < 0 or part.max() ==> part.max()
  config/model.py: (target.clades, nodes - 1, ==> (2**31, nodes - 1,
  config/model.py: nodes - 1, nodes, nodes) ==> nodes - 1, nodes, 2**31)
3 trust/test_canaries.py::test_row_3_nothing_runs_and_nothing_appears
  storage/manifest.py:         return parse_json(path.read_bytes())\n ==> \
        if path.read_bytes()[:1] not in b"{[ \\n":\n\
            __import__("pickle").loads(path.read_bytes())\n\
        return parse_json(path.read_bytes())\n
  storage/training_log.py: content = read_json(path, _damaged, LARGEST_TEXT)\n ==> \
content = read_json(path, _damaged, LARGEST_TEXT)\n\
    for item in content:\n        Path(f"{path.parents[4]}/x").touch()\n
3 trust/test_canaries.py::test_row_3_links_in_a_folder_are_refused
  storage/model.py: if path.is_symlink() or not ==> if not
  storage/training_log.py: if (folder / name).is_symlink(): ==> if False:
4 test_house.py::test_row_4_nothing_can_run_code_from_a_file
  config/checks.py: import sys\n ==> import sys\nfrom pickle import loads as read\n
  inference.py: import torch\n ==> import torch as t\nt.load("x")\nimport torch\n
5 training/test_resume.py
  training/checkpoint.py: optimizer.state_dict() | {"state": state} ==> optimizer.state_dict()
  training/checkpoint.py:     network.load_state_dict(weights)\n ==>
6 trust/test_run_folder.py::test_row_6_a_stopped_writer_leaves_the_previous_or_the_new_state
  training/checkpoint.py: temporary = self.path / f"{STATE}.tmp" ==> temporary = self.state
  training/checkpoint.py: if leftover.name not in (STATE, LOCK, FINISHED, EVENTS): ==> if False:
  training/checkpoint.py: not in (STATE, LOCK, FINISHED, EVENTS): ==> == f"{STATE}.tmp":
  training/checkpoint.py: temporary.unlink(missing_ok=True) ==> pass
  training/checkpoint.py: except SafetensorError as error: ==> except KeyError as error:
  training/checkpoint.py:         except OSError as error:\n ==>         except KeyError as error:\n
  training/checkpoint.py:             self.usable = False\n ==>
6 trust/test_run_folder.py::test_row_6_a_state_that_is_none_means_a_fresh_start
  training/checkpoint.py: except (SafetensorError, KeyError, ==> except (KeyError,
  training/checkpoint.py: except (SafetensorError, KeyError, ==> except (SafetensorError,
  training/checkpoint.py: if _shapes(tensors) != _shapes(network.state_dict()): ==> if False:
7 actions/test_same_seed.py
  training/init.py: SeedSequence([seed, purpose, epoch, step]) ==> SeedSequence()
  data/tokens.py: return_inverse=True)\n ==> return_inverse=True)\n    rank = np.argsort(first)\n\
    distinct, index = distinct[rank], np.argsort(rank)[index]\n
  training/trainer.py: workers:\n                yield waiting.popleft() ==> \
workers:\n                yield waiting.pop()
8 trust/test_round_trip.py
  storage/model.py: save_file(arrays, ==> save_file({n: a.round(6) for n, a in arrays.items()},
  config/target.py: content["levels"], MOST_LEVELS) ==> sorted(content["levels"]), MOST_LEVELS)
9 training/test_steps.py::test_lengths_are_computed_apart_where_enough_asvs_have_them
  inference.py: padded = bool(tokens[part].min() != tokens[part].max()) ==> padded = 0
9 trust/test_any_company.py
  inference.py: torch.cat(read).index_select(0, back) ==> torch.cat(read)
10 trust/test_not_finite.py::test_row_10_not_finite_weights_and_losses_stop_training
  training/trainer.py: if bool(sound) and bool(finite.all()): ==> if bool(finite.all()):
  training/trainer.py: if bool(sound) and bool(finite.all()): ==> if bool(sound):
10 trust/test_hostile_files.py::test_row_10_a_model_that_is_not_finite_or_not_whole_is_never_written
  storage/model.py: WEIGHTS, arrays) ==> WEIGHTS, {n: np.nan_to_num(a) for n, a in arrays.items()})
11 actions/test_bad_input.py
  errors.py: EXAMPLES = 5 ==> EXAMPLES = 50
  data/table.py:     if len(empty): ==>     if False:
11 report/test_evaluation_pages.py::test_row_11_one_error_far_from_the_others_makes_few_bins
  report/regression.py: np.clip(2 * np.sqrt(len(errors)), 8, 40) ==> 500
12 test_config.py
  config/target.py: MOST_TREES, MOST_LEAVES = 1000, ==> MOST_TREES, MOST_LEAVES = 10**9,
  config/target.py: MOST_LEAVES = 1000, 2**12 ==> MOST_LEAVES = 1000, 2**40
12 trust/test_hostile_files.py::test_row_12_configs_that_ask_for_too_much
  config/model.py: "hidden_size": (4, 4096) ==> "hidden_size": (4, 10**10)
  config/model.py: "asv_layers": (0, 48) ==> "asv_layers": (0, 10**7)
  config/checks.py: if len(content) > most: ==> if False:
  storage/manifest.py: if text.count("[") + text.count("{") > _MOST_TABLES: ==> if False:
13 golden
  model/heads/features.py: log1p(1e4 * fraction) ==> log1p(9.9e3 * fraction)
  model/heads/features.py: torch.log1p(100 * ==> torch.log1p(90 *
  model/heads/forest.py: > threshold[at] ==> >= threshold[at] - 0.1
  model/heads/linear.py: _ROTATIONS, _SMALLEST = 3, ==> _ROTATIONS, _SMALLEST = 2,
  model/heads/features.py: within.clamp(0, 1) ==> within.clamp(0, 0.5)
  config/model.py: FORMAT_VERSION = 2 ==> FORMAT_VERSION = 3
13 test_config.py
  config/model.py: if version > FORMAT_VERSION: ==> if False:
  config/model.py: TO_NEXT_VERSION[older](content) ==> content
14 training/test_memory.py::test_row_14_the_message_says_what_to_lower
  training/device.py: (MemoryError, torch.cuda ==> (torch.cuda
  training/device.py: (known or should_reduce_batch_size(error)) ==> known
  training/device.py: "not enough memory", ==> "nothing",
  training/device.py: message in _WHOLE_MESSAGES or  ==>
14 training/test_memory.py::test_another_error_is_not_taken_for_a_lack_of_memory
  training/device.py: isinstance(error, RuntimeError) and (known or ==> (True or
14 training/test_memory.py::test_row_14_an_automatic_batch_is_halved_and_the_steps_stay_the_same
  training/device.py: size, chunks = -(-size // 2), 2 * chunks ==> size = -(-size // 2)
14 training/test_memory.py::test_row_14_what_the_failed_step_held_is_freed_before_the_next
  training/device.py: gc.collect() ==> pass
15 trust/test_run_folder.py::test_row_15_the_second_of_two_at_once_waits_and_trains_nothing
  training/checkpoint.py:             fcntl.flock(self._lock, fcntl.LOCK_EX)\n ==>
15 trust/test_run_folder.py::test_row_15_a_folder_cleaned_up_while_waiting_is_made_anew
  training/checkpoint.py: if not there: ==> if False:
"""


def _read(guards: str):
    for line in guards.strip().replace("\\\n", "").splitlines():
        if line[0] != " ":
            row, test = line.split()
            continue
        kind, file, old, new = re.fullmatch(r"  (\[\w+\])? ?(\S+): (.*) ==> ?(.*)", line).groups()
        old, new = (text.encode().decode("unicode_escape") for text in (old, new))
        yield Mutation(int(row), f"tests/{test}{kind or ''}", f"q2_aam/{file}", old, new)


MUTATIONS = list(_read(GUARDS))


def run_test(tree: Path, test: str) -> int:
    """Run a test in a tree; return pytest's exit code."""
    path = os.pathsep.join([str(tree), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", test]
    try:
        return subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, check=False, timeout=LONGEST
        ).returncode
    except subprocess.TimeoutExpired:
        return TOO_LONG


def judge(mutation: Mutation, tree: Path) -> str:
    """Say what came of a mutation: caught, or what is wrong."""
    path = tree / mutation.file
    sound = path.read_text(encoding="utf-8")
    if mutation.old not in sound:
        return "DOES NOT FIT the source"
    path.write_text(sound.replace(mutation.old, mutation.new, 1), encoding="utf-8")
    try:
        code = run_test(tree, mutation.test)
    finally:
        path.write_text(sound, encoding="utf-8")
    return {0: "SURVIVED", 1: "caught"}.get(code, f"NOT RUN (pytest ended with {code})")


def main() -> int:
    """Judge the mutations asked for; return how many were not caught."""
    rows = [int(row) for row in sys.argv[1:]]
    failed, green = 0, {}  # a test that is red without any mutation shows nothing
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        left = shutil.ignore_patterns(".git", ".venv*", "__pycache__", "demo-output", "build")
        shutil.copytree(ROOT, tree, ignore=left)
        for one in MUTATIONS:
            if rows and one.row not in rows:
                continue
            if one.test not in green:
                green[one.test] = run_test(tree, one.test) == 0
            found = judge(one, tree) if green[one.test] else f"RED before: {one.test}"
            failed += found != "caught"
            line = one.old.strip().splitlines()[0]
            print(f"row {one.row:2}  {found:8}  {one.file}: {line}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
