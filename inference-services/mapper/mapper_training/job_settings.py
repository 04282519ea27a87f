"""Settings of the training job, prefix ``MAPPER_TRAINING_``."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .base_model import absolute
from .plan import ALL, FOLD_NAMES

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Address = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")]


class JobSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="MAPPER_TRAINING_", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    experiment: Name = Field(description="Folder of experiments/ to train")
    folds: str = Field(default="0,1,2,3,4,all", description="What to train, in this order, apart by commas")
    registry: Address = Field(description="Folder or s3://bucket/prefix to publish in")
    signing_key: SecretStr = Field(description="File of the key that signs what is published, or its PEM text")
    checkpoints: Address | None = Field(default=None, description="Where runs keep checkpoints; below the registry")
    run: Name = Field(default="default", description="Whose checkpoints to go on from")
    data: Address | None = Field(
        default=None, description="vocabularies/, taxonomy/, experiments/; the image's own when absent"
    )
    base: Address | None = Field(default=None, description="Base model instead of the plan's")
    base_revision: Name | None = Field(default=None, description="Commit of a base on the Hugging Face hub")
    device: Literal["cpu", "cuda"] | None = Field(default=None, description="The plan's own when absent")
    minutes: float | None = Field(default=None, gt=0, description="Budget of each fold; the plan's own when absent")
    work: Path = Field(default=Path("."), description="Writable folder for the base, data and checkpoints")

    @field_validator("folds")
    @classmethod
    def _known(cls, folds: str) -> str:
        if unknown := set(folds.split(",")) - set(FOLD_NAMES):
            raise ValueError(f"{len(unknown)} of them are no folds; there are {', '.join(FOLD_NAMES)}")
        return folds

    @property
    def fold_names(self) -> tuple[str, ...]:
        return tuple(self.folds.split(","))

    @property
    def tested_folds(self) -> tuple[str, ...]:
        """Those that keep vendors to score on."""
        return tuple(fold for fold in self.fold_names if fold != ALL)

    @property
    def plan_changes(self) -> dict[str, object]:
        """What is said here in place of the experiment's own."""
        changes = {
            "base": absolute(self.base) if self.base else None,
            "revision": self.base_revision,
            "device": self.device,
            "minutes": self.minutes,
        }
        return {name: value for name, value in changes.items() if value is not None}

    @property
    def checkpoint_place(self) -> str:
        return f"{self.checkpoints or self.registry.rstrip('/') + '/training'}/{self.experiment}/{self.run}"
