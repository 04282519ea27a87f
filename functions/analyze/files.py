"""Data files in YAML, read into a model with every fault named."""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)

# libyaml's parser where it is there: the same safe language, faster.
_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parsed(path: Path, model: type[Model], wrong: type[Exception]) -> Model:
    """Read *path* as *model*.

    Raises:
        *wrong*: unreadable, not YAML, a field missing or wrong; a line for each fault, with the file's name.
    """
    try:
        return model.model_validate(yaml.load(path.read_text("utf-8"), Loader=_FAST))  # noqa: S506 - safe
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise wrong(f"{path.name}: cannot be read ({type(error).__name__})") from error
    except ValidationError as error:
        faults = [f"{'.'.join(str(p) for p in e['loc']) or '(file)'}: {e['msg']}" for e in error.errors()]
        raise wrong("\n".join(f"{path.name}: {fault}" for fault in faults)) from None
