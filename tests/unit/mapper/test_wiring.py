"""The mapper is put together: rules alone without a predictor, and no model whose adapter is not the one named."""

import asyncio
from pathlib import Path

import pytest

from llama_mapper.chassis.settings import SettingsError
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.taxonomy import load
from mapper_serving.review_memory import MemoryReviews
from mapper_serving.review_redis import RedisReviews
from mapper_serving.settings import Settings
from mapper_serving.wiring import wire
from tests.fakes.experiments import experiment
from tests.fakes.mapping import finding, used

TAXONOMY = load()


def adapter(folder: Path) -> Settings:
    """Settings with a predictor and an adapter in *folder*."""
    written = experiment(folder) / "adapter"
    return Settings(predictor_url="http://127.0.0.1:9", adapter=written, vectors=folder / "vectors.npz")


def test_without_a_predictor_rules_answer_alone() -> None:
    mapper, _ = wire(Settings(), TAXONOMY)
    assert mapper.model is None


def test_reviews_are_kept_where_the_cache_is() -> None:
    alone, _ = wire(Settings(), TAXONOMY)
    shared, _ = wire(Settings.model_validate({"redis_url": "redis://127.0.0.1:9/0"}), TAXONOMY)
    assert (type(alone.reviews), type(shared.reviews)) == (MemoryReviews, RedisReviews)


def test_with_a_predictor_there_is_a_model(tmp_path: Path) -> None:
    mapper, _ = wire(adapter(tmp_path), TAXONOMY)
    assert mapper.model is not None


def test_weights_that_are_not_the_cards_are_refused(tmp_path: Path) -> None:
    settings = adapter(tmp_path)
    (settings.adapter / "adapter_model.safetensors").write_bytes(b"other weights")
    with pytest.raises(SettingsError, match="not the ones of card"):
        wire(settings, TAXONOMY)


def served(folder: Path, version: str, share: float, **changes: object) -> dict[str, object]:
    written = experiment(folder / version, version=version) / "adapter"
    return {"url": "http://127.0.0.1:9", "adapter": str(written), "share": share, **changes}


def test_variants_take_the_place_of_the_one_predictor(tmp_path: Path) -> None:
    variants = [served(tmp_path, "a.1", 90), served(tmp_path, "b.2", 10, model="mapper-b")]
    mapper, _ = wire(Settings.model_validate({"predictor_url": "http://127.0.0.1:8", "variants": variants}), TAXONOMY)
    assert mapper.model is not None
    assigned = {mapper.model.assign(finding(f"label-{number}"), TenantId("demo")) for number in range(200)}
    assert assigned == {"a.1", "b.2"}


def test_one_version_cannot_be_served_twice(tmp_path: Path) -> None:
    variants = [served(tmp_path, "a.1", 90), served(tmp_path, "a.1", 10)]
    with pytest.raises(SettingsError, match="two of the adapters are the same version"):
        wire(Settings.model_validate({"variants": variants}), TAXONOMY)


def test_a_variants_adapter_is_checked_like_any_other(tmp_path: Path) -> None:
    variants = [served(tmp_path, "a.1", 90), served(tmp_path, "b.2", 10)]
    (Path(str(variants[1]["adapter"])) / "adapter_model.safetensors").write_bytes(b"other weights")
    with pytest.raises(SettingsError, match="not the ones of card"):
        wire(Settings.model_validate({"variants": variants}), TAXONOMY)


async def test_budgets_stop_a_tenant_where_they_are_set(tmp_path: Path) -> None:
    path = tmp_path / "budgets.yaml"
    path.write_text('version: "1"\ndefault: {monthly_dollars: 0.0001}')
    mapper, _ = wire(adapter(tmp_path).model_copy(update={"budgets": path}), TAXONOMY)
    free, _ = wire(Settings(), TAXONOMY)
    for accounts, may in ((mapper.accounts, False), (free.accounts, True)):
        assert accounts is not None
        accounts.charge(TenantId("demo"), "tried.1", used(1_000))
        await asyncio.sleep(0)  # in memory it is booked at once, behind the answer
        assert await accounts.may_ask(TenantId("demo")) is may


@pytest.mark.parametrize(("setting", "needs_model"), [("prices", True), ("budgets", False)])
def test_a_table_that_is_not_there_ends_the_start(tmp_path: Path, setting: str, needs_model: bool) -> None:
    settings = adapter(tmp_path) if needs_model else Settings()
    with pytest.raises(SettingsError, match=f"MAPPER_{setting.upper()}"):
        wire(settings.model_copy(update={setting: tmp_path / "nowhere.yaml"}), TAXONOMY)
