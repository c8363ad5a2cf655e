"""The `network` block and the loss, from the tables of `nnrun.nn`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from nnrun.config.schema.block import Block, ConfigIssue
from nnrun.config.schema.fields import Integer, Listed, Number, OneOf
from nnrun.config.schema.from_signature import NamedBlock, Translator
from nnrun.nn.activations import ACTIVATIONS
from nnrun.nn.initializers import INITIALIZERS, Initializer
from nnrun.nn.layer import Place
from nnrun.nn.layers import LAYERS
from nnrun.nn.losses import LOSSES
from nnrun.nn.sequential import Layers
from nnrun.suggestions import part_suggestion

_INITIALIZER = OneOf(INITIALIZERS, "an initializer")
_ACTIVATION = OneOf(ACTIVATIONS, "an activation")


class InitializerConfig(Block):
    """How the weights of a layer are drawn."""

    noun: ClassVar[str] = "an initializer"
    must_be: ClassVar[str] = "an initializer"
    part_keys: ClassVar[Mapping[str, str]] = {"type": "initializer"}
    digest_when_empty: ClassVar[Any] = None  # a layer that names none has the default

    type: Annotated[str, _INITIALIZER] = "glorot_uniform"
    """The distribution."""
    scale: Annotated[float, Number(gt=0)] = 1.0
    """What every value is multiplied by."""

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        if data.get("type") == "zeros" and data.get("scale", 1) != 1:
            message = "zeros stay zero whatever the scale; leave it out"
            yield ConfigIssue(message, ("scale",))

    def build(self) -> Initializer:
        """The initializer itself."""
        return Initializer(self.type, self.scale)


def _initializer(value: Any) -> Any:
    """The name alone is an initializer without a scale."""
    if not isinstance(value, str):
        return value
    if value not in INITIALIZERS:
        raise ConfigIssue(
            phrase="an initializer", hint=lambda: part_suggestion(value, INITIALIZERS)
        ).error()
    return {"type": value}


InitializerField = Annotated[
    InitializerConfig,
    BeforeValidator(
        _initializer, json_schema_input_type=InitializerConfig | Annotated[str, _INITIALIZER]
    ),
]

_TRANSLATOR = Translator(
    names={"activation": ("an activation", ACTIVATIONS)},
    blocks={
        Initializer: InitializerField,
        Layers: Annotated[
            list["Layer"], Listed("layers"), Field(description="Layers, one after the other")
        ],
    },
    module=__name__,
)


class LayerConfig(NamedBlock):
    """One layer of a network."""

    part_keys: ClassVar[Mapping[str, str]] = {"type": "layer"}

    type: str


def _walk(value: Any, place: Place) -> Iterator[tuple[Place, LayerConfig]]:
    """The layers in a value of a config, with their places, each before those that it holds."""
    if isinstance(value, LayerConfig):
        yield place, value
        for field, inner in value:
            yield from _walk(inner, (*place, field))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, (*place, index))


def _spread(value: Any, initializer: InitializerConfig) -> Any:
    """The value, with this initializer in every layer in it that has none."""
    if isinstance(value, LayerConfig):
        update = {f: _spread(inner, initializer) for f, inner in value if isinstance(inner, list)}
        if vars(value).get("initializer", ...) is None:
            update["initializer"] = initializer
        return value.model_copy(update=update) if update else value
    return [_spread(item, initializer) for item in value] if isinstance(value, list) else value


class LossConfig(NamedBlock):
    """What training minimizes."""

    part_keys: ClassVar[Mapping[str, str]] = {"type": "loss"}

    type: str


if TYPE_CHECKING:
    Layer = LayerConfig
    Loss = LossConfig
else:
    Layer = _TRANSLATOR.union(LAYERS, LayerConfig, "a layer")
    Loss = _TRANSLATOR.union(LOSSES, LossConfig, "a loss", word=True)


class NetworkConfig(Block):
    """Layers, one after the other."""

    noun: ClassVar[str] = "network"
    must_be: ClassVar[str] = "a mapping of layers, or of sizes and activations"
    digest_ignores: ClassVar[frozenset[str]] = frozenset({"initializer"})  # every layer has it

    initializer: InitializerField = Field(default="glorot_uniform", validate_default=True)
    """How weights are drawn in layers that do not say so themselves."""
    layers: Annotated[list[Layer], Listed("layers")]
    """The layers from input to output."""

    @model_validator(mode="after")
    def _spread_initializer(self) -> Self:
        """Give every layer its initializer, so that it can be read and built alone."""
        self.layers[:] = _spread(self.layers, self.initializer)
        return self

    def named_layers(self) -> Iterator[tuple[Place, LayerConfig]]:
        """Every layer with its place, like `nnrun.nn.Sequential.named_layers`."""
        return _walk(self.layers, ("layers",))

    @classmethod
    def hint(cls, value: Any) -> str:
        if not isinstance(value, list) or not value:
            return ""
        if all(isinstance(item, int) for item in value):
            return "; write {sizes: …, activations: …}"
        return "; the layers stand under 'layers'" if isinstance(value[0], dict) else ""

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        short = [key for key in data if key in STACK_KEYS]
        if "layers" in data and short:
            message = "'sizes' and 'activations' are the short form of 'layers'; give only one form"
            yield ConfigIssue(message, (short[0],), "key")

    @classmethod
    def _unknown(cls, key: str, *, suggesting: bool) -> ConfigIssue | None:
        return None if key in STACK_KEYS else super()._unknown(key, suggesting=suggesting)

    @classmethod
    def _missing(cls, key: str) -> ConfigIssue:
        return ConfigIssue("network needs 'layers', or 'sizes' and 'activations'", part="block")


class StackConfig(Block):
    """A plain stack of dense layers: their sizes and activations."""

    noun: ClassVar[str] = "network"
    must_be: ClassVar[str] = NetworkConfig.must_be

    initializer: InitializerField = Field(default="glorot_uniform", validate_default=True)
    """How weights are drawn."""
    sizes: Annotated[list[Annotated[int, Integer(gt=0)]], Listed("sizes")]
    """The units of each layer."""
    activations: Annotated[list[Annotated[str, _ACTIVATION]], Listed("activations")]
    """The activation of each layer."""

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        sizes, activations = data.get("sizes"), data.get("activations")
        if not (isinstance(sizes, list) and isinstance(activations, list)):
            return
        if sizes and activations and len(sizes) != len(activations):
            counts = f"{len(sizes)} and {len(activations)}"
            message = f"sizes and activations must be equally many, not {counts}"
            yield ConfigIssue(message, ("activations",))

    def written_out(self) -> NetworkConfig:
        """The same network in the long form, each layer with its initializer."""
        dense, initializer = LayerConfig.blocks["dense"], self.initializer
        stack = stack_layers(self.sizes, self.activations)
        layers = [dense.model_validate({**layer, "initializer": initializer}) for layer in stack]
        return NetworkConfig.model_construct(initializer=initializer, layers=layers)


STACK_KEYS = {"sizes", "activations"}


def stack_layers(sizes: Iterable[Any], activations: Iterable[Any]) -> list[dict[str, Any]]:
    """The layers of a plain stack in the long form."""
    pairs = zip(sizes, activations, strict=True)
    return [{"type": "dense", "units": size, "activation": name} for size, name in pairs]


def _form(value: Any) -> str:
    short = isinstance(value, dict) and "layers" not in value and STACK_KEYS & value.keys()
    return "<short>" if short or isinstance(value, StackConfig) else "<long>"


def _written_out(network: NetworkConfig | StackConfig) -> NetworkConfig:
    return network.written_out() if isinstance(network, StackConfig) else network


if TYPE_CHECKING:
    Network = NetworkConfig
else:
    Network = Annotated[
        Annotated[NetworkConfig, Tag("<long>")] | Annotated[StackConfig, Tag("<short>")],
        Discriminator(_form),
        AfterValidator(_written_out),
    ]
