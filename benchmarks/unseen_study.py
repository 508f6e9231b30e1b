"""UniFrac of a study that no pretraining saw: learn from three, predict the fourth.

python unseen_study.py sleep-apnea-mouse
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from aam_predictions import unifrac_of_unseen
from encoders import CACHE, commit, encoder_of_studies, whole_study
from studies import DEPTHS

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Pretrain on the other studies, predict all distances of one, store r and R²."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", choices=list(DEPTHS), default="sleep-apnea-mouse", nargs="?")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, help="of pretraining, if not the default")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where encoders are kept")
    options = parser.parse_args()
    settings = {} if options.epochs is None else {"epochs": options.epochs}
    unseen = whole_study(options.study)
    others = [name for name in DEPTHS if name != options.study]
    for seed in options.seeds:
        encoder = encoder_of_studies(others, seed, options.cache, **settings)
        found = unifrac_of_unseen(unseen.study, unseen.ids, encoder)
        result = {"unseen": options.study, "seed": seed, "settings": settings, **found}
        result |= {"encoder": encoder.made, "commit": commit(), "date": time.strftime("%Y-%m-%d")}
        print(json.dumps(result), flush=True)
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"unseen-{options.study}-{seed}.json"
        path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as runs:
        os.environ["Q2_AAM_RUN_DIR"] = runs  # no result of an earlier run
        main()
