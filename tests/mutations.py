"""Break one guard after another and see a test turn red; a guard that can go unnoticed is none.

    python tests/mutations.py            all of them (about ten seconds each)
    python tests/mutations.py 6 15       those of rows 6 and 15 only

Rows are those that tests are named by (``test_row_6_…``). Works in a copy of the tree; ends with an
error if a mutation survives, or does not fit the source any more.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
LONGEST, TOO_LONG = 600, -1  # seconds of one test, and what stands for an exit code then


@dataclass(frozen=True)
class Mutation:
    """A guard to break: in which file, which text becomes what, and the test that must notice."""

    row: int
    file: str
    old: str
    new: str
    test: str


def _of(row: int, test: str, *changes: tuple[str, str, str]) -> list[Mutation]:
    return [Mutation(row, f"q2_aam/{file}", old, new, test) for file, old, new in changes]


def _of_headers(kind: str, change: tuple[str, str], file: str = "storage/model.py"):
    return _of(2, f"{_FILES}::test_row_2_headers_made_by_hand[{kind}]", (file, *change))


_DAMAGE, _FILES = "tests/trust/test_damage.py", "tests/trust/test_hostile_files.py"
_CANARIES, _RUNS = "tests/trust/test_canaries.py", "tests/trust/test_run_folder.py"
_NOT_FINITE = "tests/trust/test_not_finite.py"
_CONFIGS = f"{_FILES}::test_row_12_configs_that_ask_for_too_much"
_SHORT, _MEMORY = "tests/training/test_memory.py", "training/device.py"
_MODEL, _MANIFEST, _LOG = (f"storage/{name}.py" for name in ("model", "manifest", "training_log"))
_RUN_FOLDER, _CONFIG = "training/checkpoint.py", "config/model.py"

MUTATIONS = [
    *_of(
        1, f"{_DAMAGE}::test_row_1_no_damage_changes_the_weights",
        (_MANIFEST, "if manifest[name] != _describe(folder / name):", "if False:"),
        (_MODEL, "    manifest.check_sum(folder, WEIGHTS, sums)\n", ""),
    ),
    *_of(
        1, f"{_DAMAGE}::test_row_1_no_damage_changes_a_training_log[False]",
        (_LOG, "except (ValueError, KeyError) as error:", "except KeyError as error:"),
        (_MANIFEST, "except (ValueError, OSError) as error:", "except OSError as error:"),
    ),
    *_of(
        1, f"{_DAMAGE}::test_row_1_no_damage_changes_a_training_log[True]",
        (_MANIFEST, "if manifest[name] != _describe(folder / name):", "if False:"),
    ),
    *_of_headers("absurd_length", ("if length > _LARGEST_HEADER:", "if False:")),
    *_of_headers("header_over_the_limit", ("_LARGEST_HEADER = 2**20", "_LARGEST_HEADER = 2**40")),
    *_of_headers("cut_header", ("if len(content) < length:", "if False:")),
    *_of_headers("overlap", ("if begin != position or end - begin != size:", "if False:")),
    *_of_headers("hole", ("if begin != position or", "if begin < position or")),
    *_of_headers("trailing_bytes", ("if path.stat().st_size != start + position:", "if False:")),
    *_of_headers("duplicate_key", ("object_pairs_hook=table, ", ""), _MANIFEST),
    *_of_headers("wrong_dtype", ('if entry["dtype"] != dtype:', "if False:")),
    *_of_headers("missing_tensor", ("    if missing:", "    if False:")),
    *_of_headers("extra_tensor", ("    if extra:", "    if False:")),
    *_of_headers("wrong_shape", ("if not _are_whole(found) or found != list(shape):", "if False:")),
    *_of_headers("shape_overflow", ("or found != list(shape):", "or False:")),
    *_of_headers("not_utf8", ('content.decode("utf-8")', 'content.decode("latin-1")'), _MANIFEST),
    *_of_headers("deep_nesting", ("except RecursionError", "except KeyError"), _MANIFEST),
    *_of_headers("values_that_are_not_finite", ("if not np.isfinite(part).all():", "if False:")),
    *_of(
        2, f"{_FILES}::test_row_2_positions_out_of_range_are_refused_though_the_sums_fit",
        (_MODEL, "part.min() < 0 or part.max() > largest[name]", "part.min() < 0"),
        (_MODEL, "part.min() < 0 or part.max()", "part.max()"),
        (_CONFIG, "(target.clades, nodes - 1,", "(2**31, nodes - 1,"),
        (_CONFIG, "nodes - 1, nodes, nodes)", "nodes - 1, nodes, 2**31)"),
    ),
    *_of(
        3, f"{_CANARIES}::test_row_3_nothing_runs_and_nothing_appears",
        (
            _MANIFEST, "        return parse_json(path.read_bytes())\n",
            '        if path.read_bytes()[:1] not in b"{[ \\n":\n'
            '            __import__("pickle").loads(path.read_bytes())\n'
            "        return parse_json(path.read_bytes())\n",
        ),
        (
            _LOG, "    content = read_json(path, _damaged, LARGEST_TEXT)\n",
            "    content = read_json(path, _damaged, LARGEST_TEXT)\n"
            '    for item in content:\n        Path(f"{path.parents[4]}/x").touch()\n',
        ),
    ),
    *_of(
        3, f"{_CANARIES}::test_row_3_links_in_a_folder_are_refused",
        (_MODEL, "if path.is_symlink() or not", "if not"),
        (_LOG, "if (folder / name).is_symlink():", "if False:"),
    ),
    *_of(
        4, "tests/test_house.py::test_row_4_nothing_can_run_code_from_a_file",
        ("config/checks.py", "import sys\n", "import sys\nfrom pickle import loads as read\n"),
        ("inference.py", "import torch\n", 'import torch as t\nt.load("x")\nimport torch\n'),
    ),
    *_of(
        5, "tests/training/test_resume.py",
        (_RUN_FOLDER, 'optimizer.state_dict() | {"state": state}', "optimizer.state_dict()"),
        (_RUN_FOLDER, "    network.load_state_dict(weights)\n", ""),
    ),
    *_of(
        6, f"{_RUNS}::test_row_6_a_stopped_writer_leaves_the_previous_or_the_new_state",
        (_RUN_FOLDER, 'temporary = self.path / f"{STATE}.tmp"', "temporary = self.state"),
        (_RUN_FOLDER, "if leftover.name not in (STATE, LOCK, FINISHED, EVENTS):", "if False:"),
        (_RUN_FOLDER, "not in (STATE, LOCK, FINISHED, EVENTS):", '== f"{STATE}.tmp":'),
        (_RUN_FOLDER, "temporary.unlink(missing_ok=True)", "pass"),
        (_RUN_FOLDER, "except SafetensorError as error:", "except KeyError as error:"),
        (_RUN_FOLDER, "        except OSError as error:\n", "        except KeyError as error:\n"),
        (_RUN_FOLDER, "            self.usable = False\n", ""),
    ),
    *_of(
        6, f"{_RUNS}::test_row_6_a_state_that_is_none_means_a_fresh_start",
        (_RUN_FOLDER, "except (SafetensorError, KeyError,", "except (KeyError,"),
        (_RUN_FOLDER, "except (SafetensorError, KeyError,", "except (SafetensorError,"),
        (_RUN_FOLDER, "if _shapes(tensors) != _shapes(network.state_dict()):", "if False:"),
    ),
    *_of(
        7, "tests/actions/test_same_seed.py",
        ("training/init.py", "SeedSequence([seed, purpose, epoch, step])", "SeedSequence()"),
        (  # samples are sorted twice: either alone is enough
            "data/tokens.py", "return_inverse=True)\n",
            "return_inverse=True)\n    rank = np.argsort(first)\n"
            "    distinct, index = distinct[rank], np.argsort(rank)[index]\n",
        ),
        ("training/trainer.py", "yield waiting.popleft()", "yield waiting.pop()"),
    ),
    *_of(
        8, "tests/trust/test_round_trip.py",
        (_MODEL, "save_file(arrays,", "save_file({n: a.round(6) for n, a in arrays.items()},"),
        (
            "config/target.py", 'listed("covariate levels", content["levels"], MOST_LEVELS)',
            'listed("covariate levels", sorted(content["levels"]), MOST_LEVELS)',
        ),
    ),
    *_of(
        9, "tests/training/test_token_parts.py",
        ("inference.py", "padded = bool(tokens[part].min() != tokens[part].max())", "padded = 0"),
    ),
    *_of(
        9, "tests/trust/test_any_company.py",
        ("inference.py", "torch.cat(read).index_select(0, back)", "torch.cat(read)"),
    ),
    *_of(
        10, f"{_NOT_FINITE}::test_row_10_not_finite_weights_and_losses_stop_training",
        ("training/trainer.py", "if bool(sound) and bool(finite.all()):", "if bool(finite.all()):"),
        ("training/trainer.py", "if bool(sound) and bool(finite.all()):", "if bool(sound):"),
    ),
    *_of(
        10, f"{_FILES}::test_row_10_a_model_that_is_not_finite_or_not_whole_is_never_written",
        (_MODEL, "WEIGHTS, arrays)", "WEIGHTS, {n: np.nan_to_num(a) for n, a in arrays.items()})"),
    ),
    *_of(
        11, "tests/actions/test_bad_input.py",
        ("errors.py", "EXAMPLES = 5", "EXAMPLES = 50"),
        ("data/table.py", "    if len(empty):", "    if False:"),
    ),
    *_of(  # many more bins would crash the library that draws them
        11, "tests/report/test_regression_page.py",
        ("report/regression.py", "np.clip(2 * np.sqrt(len(errors)), 8, 40)", "500"),
    ),
    *_of(
        12, "tests/test_config.py",
        ("config/target.py", "MOST_TREES, MOST_LEAVES = 1000,", "MOST_TREES, MOST_LEAVES = 10**9,"),
        ("config/target.py", "MOST_LEAVES = 1000, 2**12", "MOST_LEAVES = 1000, 2**40"),
    ),
    *_of(
        12, _CONFIGS,
        (_CONFIG, '"hidden_size": (4, 4096)', '"hidden_size": (4, 10**10)'),
        (_CONFIG, '"asv_layers": (0, 48)', '"asv_layers": (0, 10**7)'),
        ("config/checks.py", "if len(content) > most:", "if False:"),
        (_MANIFEST, 'if text.count("[") + text.count("{") > _MOST_TABLES:', "if False:"),
    ),
    *_of(
        13, "tests/golden",
        ("model/heads/features.py", "log1p(1e4 * fraction)", "log1p(9.9e3 * fraction)"),
        ("model/heads/features.py", "torch.log1p(100 *", "torch.log1p(90 *"),
        ("model/heads/forest.py", "> threshold[at]", ">= threshold[at] - 0.1"),
        ("model/heads/linear.py", "_ROTATIONS, _SMALLEST = 3,", "_ROTATIONS, _SMALLEST = 2,"),
        ("model/heads/features.py", "within.clamp(0, 1)", "within.clamp(0, 0.5)"),
        (_CONFIG, "FORMAT_VERSION = 2", "FORMAT_VERSION = 3"),
    ),
    *_of(
        13, "tests/test_config.py",
        (_CONFIG, "if version > FORMAT_VERSION:", "if False:"),
        (_CONFIG, "TO_NEXT_VERSION[older](content)", "content"),
    ),
    *_of(
        14, f"{_SHORT}::test_row_14_the_message_says_what_to_lower",
        (_MEMORY, "(MemoryError, torch.cuda", "(torch.cuda"),
        (_MEMORY, "(known or should_reduce_batch_size(error))", "known"),
        (_MEMORY, '"not enough memory",', '"nothing",'),
        (_MEMORY, "message in _WHOLE_MESSAGES or ", ""),
    ),
    *_of(
        14, f"{_SHORT}::test_another_error_is_not_taken_for_a_lack_of_memory",
        (_MEMORY, "isinstance(error, RuntimeError) and (known or", "(True or"),
    ),
    *_of(
        14, f"{_SHORT}::test_row_14_an_automatic_batch_is_halved_and_the_steps_stay_the_same",
        (_MEMORY, "size, chunks = -(-size // 2), 2 * chunks", "size = -(-size // 2)"),
    ),
    *_of(
        14, f"{_SHORT}::test_row_14_what_the_failed_step_held_is_freed_before_the_next",
        (_MEMORY, "gc.collect()", "pass"),
    ),
    *_of(
        15, f"{_RUNS}::test_row_15_the_second_of_two_at_once_waits_and_trains_nothing",
        (_RUN_FOLDER, "            fcntl.flock(self._lock, fcntl.LOCK_EX)\n", ""),
    ),
    *_of(
        15, f"{_RUNS}::test_row_15_a_folder_cleaned_up_while_waiting_is_made_anew",
        (_RUN_FOLDER, "if not there:", "if False:"),
    ),
]  # fmt: skip


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
