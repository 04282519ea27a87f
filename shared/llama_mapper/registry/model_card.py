"""``model_card.md``: what a person should know before putting an adapter into use."""

from collections.abc import Mapping

from llama_mapper.contracts.models import AdapterCard, MadeFrom, TrainingRecord

from .figures import Figures

_CASES = {
    "kind_unknown": "The kind of detector is not known to the mapper",
    "kind_told": "The kind of detector is known to the mapper",
}
_USE = """\
Chooses among the few canonical labels that retrieval found for a detector's label that no rule knows, and says when
none of them fits. It sees the label and the vendor's description of it, never content. Its odds become a confidence
by the weights in `card.json`; below the mapper's threshold the label is `OTHER.Unknown` and goes to a person."""
_LIMITS = (
    "It is no content classifier: what it is shown must be a detector's label.",
    "What retrieval does not find among its candidates cannot be chosen.",
    "It answers one prompt version and one base model; serving and merging refuse others.",
    "Labels that the taxonomy gained later are reached through retrieval alone.",
    "Confidences were fitted on the vendors of the training vocabularies and may be off for labels of another style.",
)


def write(
    card: AdapterCard, record: TrainingRecord, made_from: MadeFrom, config: Mapping[str, object], figures: Figures
) -> str:
    """Return the page. It holds no time and no place, so that the same experiment gives the same page."""
    parts = [
        f"# {card.version}",
        "LoRA adapter of Llama Mapper's model.",
        _table("what", ("value",), _facts(record, made_from, config)),
        "## Intended use",
        _USE,
        "## Figures",
        _held_out(record, figures),
        *(_comparison(case, figures) for case in figures.systems),
        "The whole result is in `metrics.json`.",
        "## Limits",
        "\n".join(f"- {limit}" for limit in _LIMITS),
    ]
    return "\n\n".join(parts) + "\n"


def _facts(record: TrainingRecord, made_from: MadeFrom, config: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(made_from.libraries.items()))
    rows = {
        "base model": made_from.base + (f" at {made_from.revision}" if made_from.revision else ""),
        "base weights, SHA-256": made_from.base_sha256 or "not recorded",
        "data version": made_from.data,
        "taxonomy version": made_from.taxonomy,
        "prompt version": made_from.prompt,
        "rank": str(config.get("r", "not recorded")),
        "training": f"{record.examples} examples, {record.steps} steps, {record.seconds} s",
        "libraries": libraries or "not recorded",
    }
    return {name: (text,) for name, text in rows.items()}


def _held_out(record: TrainingRecord, figures: Figures) -> str:
    folds = ", ".join(map(str, figures.folds)) or "not named"
    cases = f", {figures.cases} cases" if figures.cases else ""
    text = (
        f"Over vendors that were left out of training (folds: {folds}{cases}), at the stated coverage. The system that"
    )
    text += f" is served is `{figures.served}`."
    if record.fold == "all":
        text += (
            " This adapter is trained on all vendors, so the figures are those of adapters made by the same recipe "
            "with the measured vendors left out."
        )
    return text


def _comparison(case: str, figures: Figures) -> str:
    systems = figures.systems[case]
    columns = tuple(next(iter(systems.values())).named()) if systems else ()
    rows = {name: tuple(f"{value:.3f}" for value in found.named().values()) for name, found in systems.items()}
    return f"{_CASES.get(case, case)}:\n\n{_table('system', columns, rows)}"


def _table(first: str, columns: tuple[str, ...], rows: Mapping[str, tuple[str, ...]]) -> str:
    head = [f"| {first} | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    return "\n".join([*head, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())])
