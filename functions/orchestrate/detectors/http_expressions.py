"""The expressions of HTTP adapters: JMESPath (https://jmespath.org/specification.html) and five functions of our own.

- ``rows(object, …)``: one ``{name, values}`` for each key of the first object; the values are those of all objects.
- ``pairs(names, values)``: one ``{name, values}`` for each place of two arrays of one length.
- ``matches(pattern, text)``: every match of a regular expression, as an array of texts.
- ``is_all(pattern, text)``: whether the whole text is one match.
- ``option(name)``: what the settings say for an option of the adapter.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast

import jmespath
from jmespath.functions import Functions, signature
from jmespath.parser import ParsedResult

Row = dict[str, Any]
Function = TypeVar("Function", bound=Callable[..., Any])


def _takes(*types: str, more: bool = False) -> Callable[[Function], Function]:
    """What JMESPath checks before it calls; *more* of the last type may follow."""
    each: list[dict[str, Any]] = [{"types": [name]} for name in types]
    if more:
        each[-1]["variadic"] = True
    return cast(Callable[[Function], Function], signature(*each))


class Said(Functions):  # type: ignore[misc] # jmespath has no types
    """JMESPath's functions and ours; *options* are what ``option`` answers from."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    @_takes("object", more=True)
    def _func_rows(self, *objects: Mapping[str, Any]) -> list[Row]:
        return [{"name": key, "values": [one.get(key) for one in objects]} for key in objects[0]]

    @_takes("array", "array")
    def _func_pairs(self, names: list[Any], values: list[Any]) -> list[Row]:
        return [{"name": name, "values": [value]} for name, value in zip(names, values, strict=True)]

    @_takes("string", "string")
    def _func_matches(self, pattern: str, text: str) -> list[str]:
        return [match.group() for match in re.finditer(pattern, text)]

    @_takes("string", "string")
    def _func_is_all(self, pattern: str, text: str) -> bool:
        return re.fullmatch(pattern, text) is not None

    @_takes("string")
    def _func_option(self, name: str) -> Any:
        return self._options[name]


def compiles(expression: str) -> str:
    """Return *expression* where it is one.

    Raises:
        ValueError: it does not parse, or calls a function that is not there.
    """
    try:
        parsed = jmespath.compile(expression).parsed
    except ValueError:  # its text draws the place with an arrow, over several lines
        raise ValueError("not a JMESPath expression") from None
    for name in _called(parsed):
        if name not in Said.FUNCTION_TABLE:
            raise ValueError(f"no such function: {name}")
    return expression


def _called(node: Mapping[str, Any]) -> Iterator[str]:
    if node["type"] == "function_expression":
        yield node["value"]
    for child in node["children"]:
        if isinstance(child, Mapping) and "type" in child:
            yield from _called(child)


class Evaluation:
    """Evaluates expressions for one detector; parsed ones are kept."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = jmespath.Options(custom_functions=Said(options))
        self._parsed: dict[str, ParsedResult] = {}

    def __call__(self, expression: str, value: Any) -> Any:
        """Raises ValueError, KeyError or TypeError (their texts quote the value) where *value* has another shape."""
        if expression not in self._parsed:
            self._parsed[expression] = jmespath.compile(expression)
        return self._parsed[expression].search(value, options=self._options)
