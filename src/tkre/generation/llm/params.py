"""Which language model, and its settings: ``generation.language_model`` in ``conf/base``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, JsonValue, PlainValidator, SerializeAsAny, field_validator

from tkre.core.params import Params, Registry

if TYPE_CHECKING:
    from tkre.generation.llm.protocol import LiveModel


class ReplayParams(Params):
    """Answers from the corpus's ``recordings.jsonl``, or from what a live run left; nothing runs.

    Attributes:
        model: Name of the model that gave the recorded answers.
        strict: Refuse answers that carry no digest of their request. Null: those of an entry of
            ``generation.llms`` are refused, since they may be another model's, and those of
            ``generation.language_model`` are taken.
    """

    backend: Literal["replay"]
    model: str
    strict: bool | None = None

    @property
    def called(self) -> str:
        """Its name in requests' digests and in the store."""
        return self.model


class LiveParams(Params):
    """What all language models that run have in common.

    Attributes:
        backend: Which one.
        model: Name on the Hub, folder, or what a server calls it.
        name: What the store calls it; the model itself if not given. For a folder, whose place
            is nobody's business who replays.
    """

    backend: str
    model: str = Field(min_length=1)
    name: str | None = None

    @property
    def called(self) -> str:
        """Its name in requests' digests and in the store."""
        return self.name or self.model

    def live(self, api_key: str | None) -> LiveModel:
        """The language model of these settings, not started yet; for backends of other packages.

        The project's own are made in ``pool``: what reads parameters does not depend on them.

        Args:
            api_key: From the credentials, for servers that want one.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say what answers")


class VllmParams(LiveParams):
    """vLLM in a process of this run; the attributes are those of ``vllm.LLM``.

    Attributes:
        revision: Commit or branch on the Hub.
        dtype: ``auto``, ``bfloat16``, ``float16`` or ``float32``.
        quantization: As the weights are, e.g. ``awq``; None asks the model's configuration.
        max_model_len: Longest question with its answer, in tokens; None takes the model's.
        gpu_memory_utilization: Share of a GPU's memory that vLLM takes.
        tensor_parallel_size: GPUs that share each layer.
        pipeline_parallel_size: Groups of GPUs that share the layers out.
        distributed_executor_backend: ``mp`` on one machine, ``ray`` on several.
        enforce_eager: No CUDA graphs: a quicker start, slower answers.
        engine: Any other argument of ``vllm.LLM``.
    """

    backend: Literal["vllm"]
    revision: str | None = None
    dtype: str = "auto"
    quantization: str | None = None
    max_model_len: int | None = Field(None, gt=0)
    gpu_memory_utilization: float = Field(0.9, gt=0, le=1)
    tensor_parallel_size: int = Field(1, gt=0)
    pipeline_parallel_size: int = Field(1, gt=0)
    distributed_executor_backend: Literal["mp", "ray"] | None = None
    enforce_eager: bool = False
    engine: dict[str, JsonValue] = Field(default_factory=dict)

    @field_validator("engine")
    @classmethod
    def _nothing_unsafe_or_twice(cls, engine: dict[str, Any]) -> dict[str, Any]:
        if engine.get("trust_remote_code"):
            raise ValueError("trust_remote_code runs code that comes with the weights; not here")
        if twice := sorted(set(engine) & set(cls.model_fields)):
            raise ValueError(f"{', '.join(twice)}: set beside engine, not in it")
        return engine


class OpenAIParams(LiveParams):
    """Any server that speaks OpenAI's chat completions: ``vllm serve``, a hosted API.

    The key is no parameter: it is read from the environment variable ``OPENAI_API_KEY`` or from
    ``language_model.api_key`` in ``conf/local/credentials.yml``.

    Attributes:
        base_url: Up to and including ``/v1``.
        concurrency: Requests that are under way at once.
        timeout: Seconds for one try.
        retries: Further tries when the server is busy (429), fails (5xx) or is not reached, with
            growing, random pauses; a ``Retry-After`` is kept to as far as the client does.
        give_up_after: So many requests in a row that fail in spite of retries end the run: the
            server is gone. What has been answered is kept.
        response_format: How the schema is sent. ``auto`` begins with ``json_schema`` and takes
            the next one when the server refuses: without its bounds, ``json_object``, ``text``.
        token_limit: What the server calls the bound of an answer.
        send_seed: Whether to send a sampling seed.
        send_sampling: Whether to send temperature and top_p; some hosted models refuse them.
        extra_body: What else to put into every request, as the server calls it.
        prices: US dollars per million tokens, for ``kedro generation plan``.
    """

    backend: Literal["openai"]
    base_url: str = "https://api.openai.com/v1"
    concurrency: int = Field(16, gt=0)
    timeout: float = Field(120.0, gt=0)
    retries: int = Field(5, ge=0)
    give_up_after: int = Field(20, gt=0)
    response_format: Literal["auto", "json_schema", "plain_schema", "json_object", "text"] = "auto"
    token_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    send_seed: bool = True
    send_sampling: bool = True
    extra_body: dict[str, JsonValue] = Field(default_factory=dict)
    prices: dict[Literal["prompt", "completion"], float] | None = None


class TransformersParams(LiveParams):
    """A causal language model of Hugging Face in this process: a small GPU, or a CPU.

    Attributes:
        revision: Commit or branch on the Hub.
        batch_size: Questions that are answered side by side.
        dtype: ``auto``, ``bfloat16``, ``float16`` or ``float32``.
        device: ``auto`` takes a GPU if there is one.
        constrained: ``auto`` makes the model keep to the schema where ``xgrammar`` is installed;
            ``always`` wants it; ``never`` leaves it to the prompt.
    """

    backend: Literal["transformers"]
    revision: str | None = None
    batch_size: int = Field(8, gt=0)
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    device: str = "auto"
    constrained: Literal["auto", "always", "never"] = "auto"


BACKENDS: Registry[type[ReplayParams] | type[LiveParams]] = Registry(
    "tkre.llms",
    {
        "replay": ReplayParams,
        "vllm": VllmParams,
        "openai": OpenAIParams,
        "transformers": TransformersParams,
    },
)


def _of_backend(settings: Any) -> ReplayParams | LiveParams:
    """Settings as the class that belongs to their ``backend``, which may be another package's."""
    if isinstance(settings, ReplayParams | LiveParams):
        return settings
    if not isinstance(settings, Mapping) or not isinstance(settings.get("backend"), str):
        raise ValueError(f"a mapping with an entry backend is wanted: {', '.join(BACKENDS)}")
    return BACKENDS[settings["backend"]].model_validate(settings)


# Not a union that pydantic tells apart: those are closed.
LanguageModelParams = Annotated[
    ReplayParams | VllmParams | OpenAIParams | TransformersParams | LiveParams,
    PlainValidator(_of_backend),
    SerializeAsAny(),
]
