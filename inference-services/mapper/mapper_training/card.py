"""Write what serving must know of an adapter beside its weights: ``python -m mapper_training.card EXPERIMENT``.

Run it after the adapter of all vendors is trained and the experiment is scored: the weights of the confidence come from
the folds' models, each asked about vendors it had not seen.
"""

import argparse
import json
import sys
from pathlib import Path

from .base_model import sha256
from .merge import WEIGHTS
from .setting import EXPERIMENTS


def write_card(home: Path) -> Path:
    """Write ``adapter/card.json`` from the training's record and the fitted confidence.

    Raises:
        FileNotFoundError: the experiment was not trained on all vendors, or not scored.
    """
    adapter = home / "adapter"
    record = json.loads((adapter / "training_record.json").read_text("utf-8"))
    fitted = json.loads((home / "calibration.json").read_text("utf-8"))
    weights = sha256(adapter / WEIGHTS)
    card = {
        "version": f"{home.name}.{weights[:8]}",
        "prompt": record["prompt"],
        "weights_sha256": weights,
        "stack": fitted["stack"],
    }
    path = adapter / "card.json"
    path.write_text(json.dumps(card, indent=2) + "\n", "utf-8")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment")
    given = parser.parse_args()
    sys.stdout.write(f"{write_card(EXPERIMENTS / given.experiment)}\n")


if __name__ == "__main__":
    main()
