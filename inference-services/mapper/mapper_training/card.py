"""Write what serving must know of an adapter beside its weights: ``python -m mapper_training.card EXPERIMENT``.

Run it after the adapter of all vendors is trained and the experiment is scored: the weights of the confidence come from
the folds' models, each asked about vendors it had not seen. The ranker that the card names is fitted on all vendors.
"""

import argparse
import json
import sys
from pathlib import Path

from llama_mapper.contracts.confidence import Stack
from llama_mapper.contracts.models import CARD, RANKER, RECORD, WEIGHTS, AdapterCard

from .base_model import sha256
from .setting import EXPERIMENTS, open_setting


def write_ranker(home: Path) -> Path:
    """Fit the ranker on all vendors and write it as ``adapter/ranker.txt``; takes a minute."""
    setting = open_setting()
    path = home / "adapter" / RANKER
    path.write_text(setting.ranker("all"), "utf-8")
    setting.vectors_done()
    return path


def write_card(home: Path) -> Path:
    """Write ``adapter/card.json`` from the training's record, the ranker and the fitted confidence.

    Raises:
        FileNotFoundError: the experiment was not trained on all vendors, has no ranker or was not scored.
    """
    adapter = home / "adapter"
    record = json.loads((adapter / RECORD).read_text("utf-8"))
    fitted = json.loads((home / "calibration.json").read_text("utf-8"))
    weights, ranker = sha256(adapter / WEIGHTS), sha256(adapter / RANKER)
    card = AdapterCard(
        version=f"{home.name}.{weights[:8]}",
        prompt=record["prompt"],
        weights_sha256=weights,
        ranker_sha256=ranker,
        stack=Stack.model_validate(fitted["stack"]),
        without_model=Stack.model_validate(fitted["without_model"]),
    )
    path = adapter / CARD
    path.write_text(card.model_dump_json(indent=2) + "\n", "utf-8")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment")
    home = EXPERIMENTS / parser.parse_args().experiment
    write_ranker(home)
    sys.stdout.write(f"{write_card(home)}\n")


if __name__ == "__main__":
    main()
