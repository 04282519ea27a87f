"""The feature flags there are, what each switches, and what holds where nobody says otherwise."""

from typing import Literal, get_args

FlagName = Literal["response-cache", "hedging", "load-shedding", "model-mapper", "detector-candidates"]
FLAG_NAMES: tuple[FlagName, ...] = get_args(FlagName)

DEFAULTS: dict[FlagName, bool] = dict.fromkeys(FLAG_NAMES, True)
"""As the settings say: a flag only ever switches off what they switch on."""

PURPOSES: dict[FlagName, str] = {
    "response-cache": "a judgement of the same content is given again for some minutes",
    "hedging": "a slow detector is asked a second time, where a hedge is set",
    "load-shedding": "requests are refused for want of room, the unimportant first",
    "model-mapper": "the mapper asks its model where no rule knows a label; off: rules and people alone",
    "detector-candidates": "a share of the content goes to another version of a detector, where a rollout is set",
}
