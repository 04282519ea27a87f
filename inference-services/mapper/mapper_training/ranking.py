"""Fits the ranker of ``llama_mapper.taxonomy.ranking`` on curated words, each asked about with its vendor hidden."""

from collections import Counter
from collections.abc import Sequence

from llama_mapper.taxonomy.ranking import FEATURES, Signs
from llama_mapper.taxonomy.retrieval import Asked, Embedder, Index

from .data import Example
from .split import family

ROUNDS = 200
# Few leaves, many words a leaf and a strong penalty: there are about 1,500 words, and the next vendor's look different.
PARAMETERS = {
    "objective": "binary",
    "num_leaves": 15,
    "learning_rate": 0.05,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "seed": 1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}


def fit_ranker(index: Index, embedder: Embedder, examples: Sequence[Example], hidden: frozenset[str]) -> str:
    """Return a LightGBM model's text, fitted on *examples* with the kind told and not.

    Args:
        hidden: families that nothing may be learned from; an example's own family is hidden from its question.
    """
    import lightgbm
    import numpy as np

    signs = Signs(index)
    words_of = Counter(example.vendor for example in examples)
    tables, right, weights = [], [], []
    vectors = embedder.embed([e.text for e in examples])
    for example, vector in zip(examples, vectors, strict=True):
        without = hidden | {family(example.vendor)}
        likeness = index.likeness(example.text, without, vector=vector)
        best = index.best_of_labels(likeness.score)
        for kind in dict.fromkeys((example.kind, None)):
            weighed, features = signs.of(Asked(example.text, kind, without, likeness, best))
            tables.append(features)
            right += [index.labels[n] in example.labels for n in weighed]
            weights += [words_of[example.vendor] ** -0.5] * len(weighed)  # else the largest vendors alone decide
    data = lightgbm.Dataset(np.vstack(tables), np.array(right), weight=np.array(weights), feature_name=list(FEATURES))
    return str(lightgbm.train(PARAMETERS, data, ROUNDS).model_to_string())
