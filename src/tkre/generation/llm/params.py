"""Settings of the language model backends, and the table of backends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, JsonValue, PlainValidator, SerializeAsAny, field_validator

from tkre.core.params import Params, Registry
from tkre.core.provenance import digest_of

if TYPE_CHECKING:
    from tkre.generation.llm.protocol import LiveModel


Prices = dict[Literal["prompt", "completion"], float]  # US dollars per million tokens
# Settings that decide when and how fast a model is asked, and not what it can answer.
_PACE = {"prices", "concurrency", "timeout", "retries", "give_up_after", "batch_size"}

ResponseFormat = Literal[
    "auto", "json_schema", "short_schema", "plain_schema", "json_object", "text"
]


class ReplayParams(Params):
    """Stored answers: the recordings of a corpus, or a live store.

    Attributes:
        model: Name of the model that gave the stored answers.
        strict: Refuse answers without a digest of their request. None: refuse them for an entry of
            ``generation.llms``, since they may be another model's; accept them for
            ``generation.language_model``.
        stale: ``use`` takes an answer although its sentence, its mentions or the definition of its
            relation have changed since.
        prices: US dollars per million tokens, for plans and the comparison with its students.
    """

    backend: Literal["replay"]
    model: str
    strict: bool | None = None
    stale: Literal["refuse", "use"] = "refuse"
    prices: Prices | None = None

    @property
    def called(self) -> str:
        """Its name in requests' digests and in the store."""
        return self.model


class LiveParams(Params):
    """Settings of all backends that run a language model.

    Attributes:
        backend: Name of the backend, an entry of ``BACKENDS``.
        model: Name on the Hub, folder, or the server's name for it.
        name: Name in the store; ``model`` if None. Set it for a folder: a path means nothing to
            whoever replays the answers.
        prices: US dollars per million tokens, for plans and the comparison with its students.
    """

    backend: str
    model: str = Field(min_length=1)
    name: str | None = None
    prices: Prices | None = None

    @property
    def called(self) -> str:
        """Its name in requests' digests and in the store."""
        return self.name or self.model

    @property
    def settings_digest(self) -> str:
        """Digest of what may make an answer of a failure, such as another ``max_model_len``."""
        return digest_of(self.model_dump(mode="json", exclude=_PACE))


class VllmParams(LiveParams):
    """vLLM within the run; the attributes are arguments of ``vllm.LLM``.

    Attributes:
        revision: Commit or branch on the Hub.
        dtype: ``auto``, ``bfloat16``, ``float16`` or ``float32``.
        quantization: Method such as ``awq``; None reads the model's configuration.
        max_model_len: Longest request with its answer, in tokens; None takes the model's.
        gpu_memory_utilization: Share of a GPU's memory that vLLM takes.
        tensor_parallel_size: GPUs that share each layer.
        pipeline_parallel_size: Groups of GPUs, each with a part of the layers.
        distributed_executor_backend: ``mp`` on one machine, ``ray`` on several.
        enforce_eager: Disable CUDA graphs: a quicker start, slower answers.
        engine: Further arguments of ``vllm.LLM``.
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
    """A server with OpenAI's chat completions API: ``vllm serve``, a hosted service.

    The key is not a parameter: it is read from the environment variable ``OPENAI_API_KEY`` or from
    ``language_model.api_key`` in ``conf/local/credentials.yml``.

    Attributes:
        base_url: Up to and including ``/v1``.
        concurrency: Requests in flight at once.
        timeout: Seconds for one try.
        retries: Further tries when the server is busy (429), fails (5xx) or is not reached, with
            exponential, jittered pauses; the client respects ``Retry-After`` up to two minutes.
        give_up_after: Consecutive requests without an answer, in spite of retries or refused, after
            which the run ends; stored answers are kept.
        response_format: How the schema is sent. ``auto`` begins with ``json_schema`` and falls back
            when the server refuses: the schema with small bounds only, without bounds,
            ``json_object``, ``text``.
        token_limit: The server's name for the bound of an answer.
        send_seed: Whether to send a sampling seed.
        send_sampling: Whether to send temperature and top_p; some hosted models refuse them.
        reasoning_tokens: Tokens for the reasoning of a thinking model, added to those of an answer;
            the reasoning itself is not read.
        extra_body: Further fields of every request.
    """

    base_url: str = "https://api.openai.com/v1"
    concurrency: int = Field(16, gt=0)
    timeout: float = Field(120.0, gt=0)
    retries: int = Field(5, ge=0)
    give_up_after: int = Field(20, gt=0)
    response_format: ResponseFormat = "auto"
    token_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    send_seed: bool = True
    send_sampling: bool = True
    reasoning_tokens: int = Field(0, ge=0)
    extra_body: dict[str, JsonValue] = Field(default_factory=dict)


class LlamaServerParams(OpenAIParams):
    """llama-server of llama.cpp, at its port.

    It makes a grammar of each schema; many versions refuse texts of 2,000 letters and more in it.
    Large bounds are left out.
    """

    base_url: str = "http://localhost:8080/v1"
    concurrency: int = Field(4, gt=0)
    timeout: float = Field(600.0, gt=0)
    response_format: ResponseFormat = "short_schema"


class OllamaParams(LlamaServerParams):
    """Ollama, which has llama.cpp inside."""

    base_url: str = "http://localhost:11434/v1"


class VllmServerParams(OpenAIParams):
    """``vllm serve``."""

    base_url: str = "http://localhost:8000/v1"
    concurrency: int = Field(64, gt=0)
    timeout: float = Field(600.0, gt=0)


class TransformersParams(LiveParams):
    """A causal language model of Hugging Face in this process, for a small GPU or a CPU.

    Attributes:
        revision: Commit or branch on the Hub.
        batch_size: Requests in a batch.
        dtype: ``auto``, ``bfloat16``, ``float16`` or ``float32``.
        device: ``auto`` takes a GPU if there is one.
        constrained: Constrained decoding by ``xgrammar``: ``auto`` uses it where it is installed,
            ``always`` requires it, ``never`` leaves the schema to the prompt.
    """

    backend: Literal["transformers"]
    revision: str | None = None
    batch_size: int = Field(8, gt=0)
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    device: str = "auto"
    constrained: Literal["auto", "always", "never"] = "auto"


@dataclass(frozen=True)
class Backend:
    """An entry of the table of backends.

    Attributes:
        params: Class of its settings, which ``conf/`` is validated against.
        model: Class of its model as ``module:attribute``, imported when the first request is made;
            called with the settings and the API key of the credentials (None if there is none).
    """

    params: type[ReplayParams] | type[LiveParams]
    model: str

    def load(self) -> Callable[[LiveParams, str | None], LiveModel]:
        """Imports the model's class."""
        found: Callable[[LiveParams, str | None], LiveModel] = resolve_name(self.model)
        return found


_SERVER = "tkre.generation.llm.openai:OpenAIServer"
BACKENDS: Registry[Backend] = Registry(
    "tkre.llms",
    {
        "replay": Backend(ReplayParams, "tkre.generation.llm.replay:Replay"),
        "vllm": Backend(VllmParams, "tkre.generation.llm.vllm:VllmEngine"),
        "openai": Backend(OpenAIParams, _SERVER),
        # The same with the address and the limits of a server that people run.
        "llama_server": Backend(LlamaServerParams, _SERVER),
        "ollama": Backend(OllamaParams, _SERVER),
        "vllm_server": Backend(VllmServerParams, _SERVER),
        "transformers": Backend(
            TransformersParams, "tkre.generation.llm.huggingface:TransformersModel"
        ),
    },
)


def backend_params(settings: Any) -> ReplayParams | LiveParams:
    """Validates settings by the class of their ``backend``, which may be another package's."""
    if isinstance(settings, ReplayParams | LiveParams):
        return settings
    if not isinstance(settings, Mapping) or not isinstance(settings.get("backend"), str):
        raise ValueError(f"a mapping with an entry backend is wanted: {', '.join(BACKENDS)}")
    return BACKENDS[settings["backend"]].params.model_validate(settings)


# Not a discriminated union of pydantic: those cannot be extended by other packages.
LanguageModelParams = Annotated[
    ReplayParams | LiveParams, PlainValidator(backend_params), SerializeAsAny()
]
