"""What the loopback Gemini answers: a request body in, an answer out. Pure, and the same for the same request and seed.

The answer is written from the request's own schema, so any output type of the desk works without a word said here.
Quotes are copied from the prompt (``<article>`` ... ``</article>``), addresses from its ``<result ...>`` blocks, unless
``Habits`` asks for a share of invented ones. The wire shape follows ``data/wire/gemini_recorded.jsonl``.
"""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.loopback.writing import Habits, Prompt, Result, Writer, sentences

CHARS_PER_TOKEN = 4
ARTICLE = re.compile(r"^[ \t]*<article\b[^>\n]*>[ \t]*\n(.*?)\n[ \t]*</article>", re.DOTALL | re.MULTILINE)
RESULT = re.compile(r"<result\b([^>]*)>(.*?)</result>", re.DOTALL)
ADDRESS = re.compile(r"https?://[^\s\"'<>)\]}]+")
RESULT_HEADER = re.compile(r"^\s*(url|title|publisher|published|date|source|score)\s*[:=]", re.IGNORECASE)
SIGNAL_NUMBER = re.compile(r"\bsignals?\s*=\s*[\"']?(\d+)")
THINKING_MODELS = re.compile(r"gemini-(2\.5|[3-9])")


@dataclass(frozen=True)
class Answer:
    """A ``generateContent`` response and what it is billed as."""

    body: dict[str, Any]
    prompt: int
    cached: int
    candidates: int
    thoughts: int
    given: Counter[str]


def subject_of(text: str) -> str:
    """The stable name of a piece of work: 16 hex digits over the text, white space collapsed."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:16]


def read_prompt(request: dict[str, Any]) -> Prompt:
    """Take a ``generateContent`` or ``countTokens`` body apart."""
    request = request.get("generateContentRequest") or request
    contents = request.get("contents") or []
    texts: list[str] = []
    chars = turn = 0
    for content in contents:
        turn += content.get("role") == "model"
        for part in content.get("parts") or []:
            if "text" in part:
                chars += len(part["text"])
                if content.get("role") != "model":
                    texts.append(part["text"])
            else:
                chars += len(json.dumps(part))
    system = "\n".join(part.get("text", "") for part in (request.get("systemInstruction") or {}).get("parts") or [])
    tools = request.get("tools") or []
    chars += len(system) + (len(json.dumps(tools)) if tools else 0)
    text = "\n".join(texts)
    marked = ARTICLE.search(text)
    article = marked[1] if marked else max(texts, key=len, default="")
    function, schema = _output(request, tools, system)
    task = (schema or {}).get("title") or ",".join(list((schema or {}).get("properties") or ())[:3]) or "text"
    return Prompt(
        text=text,
        article=article,
        results=tuple(_results(text)),
        tokens=math.ceil(chars / CHARS_PER_TOKEN),
        subject=subject_of(article),
        task=task,
        turn=turn,
        schema=schema,
        function=function,
    )


def _results(text: str) -> list[Result]:
    found = []
    for attributes, inner in RESULT.findall(text):
        address = ADDRESS.search(attributes) or ADDRESS.search(inner)
        if address:
            number = SIGNAL_NUMBER.search(attributes)
            lines = [line for line in inner.splitlines() if not RESULT_HEADER.match(line) and "://" not in line]
            found.append(Result(address[0], "\n".join(lines), int(number[1]) if number else None))
    if not found and "://" in text:
        found = [Result(url.rstrip(".,;"), text, None) for url in dict.fromkeys(ADDRESS.findall(text))]
    return found


def _output(request: dict[str, Any], tools: Sequence[dict[str, Any]], system: str) -> tuple[str | None, dict[str, Any] | None]:
    """The function to call, if any, and the schema to fill, if any."""
    calling = (request.get("toolConfig") or {}).get("functionCallingConfig") or {}
    allowed = calling.get("allowedFunctionNames")
    declared = [f for tool in tools for f in tool.get("functionDeclarations") or [] if not allowed or f["name"] in allowed]
    chosen = next((f for f in declared if f["name"].startswith("final_result")), None)
    if chosen is None and declared and calling.get("mode") == "ANY":
        chosen = declared[0]
    if chosen is not None:
        schema = chosen.get("parameters_json_schema") or chosen.get("parametersJsonSchema") or chosen.get("parameters")
        return chosen["name"], schema or {"type": "object"}
    config = request.get("generationConfig") or {}
    schema = config.get("responseJsonSchema") or config.get("responseSchema")
    if schema is None and config.get("responseMimeType") == "application/json" and "{" in system:
        try:  # pydantic-ai's prompted output puts the schema into the instructions
            schema, _ = json.JSONDecoder().raw_decode(system, system.index("{"))
        except ValueError:
            schema = {"type": "object"}
    return None, schema


def answer(request: dict[str, Any], model: str, habits: Habits, fault: str = "", response_id: str = "") -> tuple[Prompt, Answer]:
    """Answer a ``generateContent`` body. ``fault`` is one of ``faults.SPOILED``, or empty for an honest answer."""
    prompt = read_prompt(request)
    rng = Random(hashlib.sha256(f"{habits.seed}\0{prompt.task}\0{prompt.turn}\0{prompt.text}".encode()).digest())
    if fault == "fabricated":
        habits = replace(habits, fabricated_quotes=1.0, fabricated_urls=1.0)
    payload: Any = None
    given: Counter[str] = Counter()
    if prompt.schema is not None:
        writer = Writer(prompt, habits, rng, prompt.schema)
        payload, given = writer.value(prompt.schema), writer.given
        if fault == "schema_violation":
            payload = _violate(payload)
    text = json.dumps(payload, ensure_ascii=False) if payload is not None else f"In short: {sentences(prompt.article)[0]}"
    part = {"functionCall": {"name": prompt.function, "args": payload}} if prompt.function else {"text": text}
    config = request.get("generationConfig") or {}
    thoughts = _thoughts(model, habits, config, rng)
    candidates, finish = math.ceil(len(text) / CHARS_PER_TOKEN), "STOP"
    limit = config.get("maxOutputTokens")
    if fault == "max_tokens":
        limit = thoughts + candidates // 2
    if limit is not None and thoughts + candidates > limit:  # thinking counts against the limit, as it does at Google
        thoughts = min(thoughts, limit)
        candidates, finish = min(candidates, limit - thoughts), "MAX_TOKENS"
        part = {} if prompt.function or not candidates else {"text": text[: candidates * CHARS_PER_TOKEN]}
    candidate: dict[str, Any] = {"content": {"role": "model", **({"parts": [part]} if part else {})}, "finishReason": finish, "index": 0}
    if fault in {"safety", "malformed_call"}:
        candidates = 0
        candidate = {"finishReason": "SAFETY" if fault == "safety" else "MALFORMED_FUNCTION_CALL", "index": 0}
    if fault in {"blocked", "empty"}:
        candidates = thoughts = 0
    cached = int(prompt.tokens * habits.cached_share)
    usage: dict[str, Any] = {
        "promptTokenCount": prompt.tokens,
        "totalTokenCount": prompt.tokens + candidates + thoughts,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt.tokens}],
    }
    usage |= {"candidatesTokenCount": candidates} if candidates else {}
    usage |= {"thoughtsTokenCount": thoughts} if thoughts else {}
    usage |= {"cachedContentTokenCount": cached, "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": cached}]} if cached else {}
    body: dict[str, Any] = {"candidates": [] if fault == "empty" else [candidate]} if fault != "blocked" else {}
    if fault == "blocked":
        body["promptFeedback"] = {"blockReason": "PROHIBITED_CONTENT"}
    body |= {"usageMetadata": usage, "modelVersion": model, "responseId": response_id}
    return prompt, Answer(body, prompt.tokens, cached, candidates, thoughts, given)


def _thoughts(model: str, habits: Habits, config: dict[str, Any], rng: Random) -> int:
    if not THINKING_MODELS.match(model):
        return 0
    thinking = config.get("thinkingConfig") or {}
    budget = thinking.get("thinkingBudget", thinking.get("thinking_budget"))
    wanted = rng.randint(*habits.thoughts)
    return wanted if budget is None or budget < 0 else min(wanted, budget)


def _violate(payload: Any) -> Any:
    """Lose the last field, and put a wrong word where a choice in capitals stands at the top."""
    if not isinstance(payload, dict) or not payload:
        return {"unexpected": True}
    kept = dict(list(payload.items())[:-1])
    return {key: "NO_SUCH_CHOICE" if isinstance(value, str) and value.isupper() else value for key, value in kept.items()}


def count(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a ``countTokens`` body, with the same count as ``generateContent`` would bill."""
    tokens = read_prompt(request).tokens
    return {"totalTokens": tokens, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]}


def model_card(model: str) -> dict[str, Any]:
    """Answer ``GET models/{model}``."""
    return {
        "name": f"models/{model}",
        "version": "001",
        "displayName": model.replace("-", " ").title(),
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "thinking": bool(THINKING_MODELS.match(model)),
    }
