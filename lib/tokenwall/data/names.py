"""Names as people have them: owners, suffixes, formats and memory sizes, none of them ignored.

A name from a model hub, a tag of Ollama or the name of a GGUF file says more than which model it
is. What it says of the format sets the bits of the weights; what a machine's name says of its
memory sets the memory, or the name is refused.
"""

from __future__ import annotations

import difflib
import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenwall.data import _names, _plain, _read

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Format", "Named", "format_of", "formats", "key_of", "memory_of", "named"]

# What Ollama fetches where a tag names no format.
OLLAMA_DEFAULT = "q4_k_m"
# Words that change neither the shape of a model nor its bits.
_SOFT = frozenset(
    "instruct it chat hf base pt gguf mlx meta ud i1 imatrix exl2 exl3 latest quantized".split()
)
_DATE = re.compile(r"(?<![a-z0-9.])(?:2[3-9]|0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?![a-z0-9.])")
_VENDORS = frozenset(
    "nvidia geforce amd radeon intel apple tesla google aws graphics gpu tensor core hbm2 hbm2e "
    "hbm3 hbm3e workstation edition".split()
)
_MEMORY = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s*-?\s*(gi?b|tb)(?![a-z])", re.IGNORECASE)
_COUNT = re.compile(r"^\s*(\d+)\s*[x×]\s*(?=\D)|(?<=\w)\s+[x×]\s*(\d+)\s*$", re.IGNORECASE)
_BITS_EACH = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)[ _-]?bpw(?![a-z0-9])", re.IGNORECASE)


@dataclass(frozen=True)
class Format:
    """How weights are stored, scales included.

    Attributes:
        key: short name.
        name: as its authors write it.
        expert_bits: mean bits of a weight of a routed expert [bit].
        matrix_bits: mean bits of a weight of the other matrices [bit].
        embedding_bits: mean bits of a weight of the embedding and output tables [bit].
    """

    key: str
    name: str
    expert_bits: float
    matrix_bits: float
    embedding_bits: float

    def mean_bits(self, matrices: float, embeddings: float) -> float:
        """Mean bits of the weights outside routed experts [bit].

        Args:
            matrices: weights in matrices outside routed experts [1].
            embeddings: weights in the embedding and output tables [1].
        """
        whole = matrices + embeddings
        return (self.matrix_bits * matrices + self.embedding_bits * embeddings) / whole


@dataclass(frozen=True)
class Named:
    """What a model's name says.

    Attributes:
        key: of the model table.
        format: of the weights, None where the name says nothing of it.
        assumed: what was assumed beyond the letters of the name, empty if nothing.
    """

    key: str
    format: Format | None
    assumed: str = ""


@functools.cache
def formats() -> dict[str, Format]:
    """All formats of the table, by key.

    Example:
        >>> formats()["q4_k_m"].matrix_bits
        4.8944
    """
    return {
        row.key: Format(
            row.key,
            row.name_,
            float(row.expert_bits),
            float(row.matrix_bits),
            float(row.embedding_bits),
        )
        for row in _read("formats").rename(columns={"name": "name_"}).itertuples()
    }


def format_of(name: str) -> Format:
    """A format by its name, as "Q4_K_M", "AWQ" or "4.0bpw".

    Args:
        name: key or alias; case and the kind of dash do not matter.

    Raises:
        ValueError: the format is unknown; the nearest are given.

    Example:
        >>> format_of("iq4-xs").matrix_bits, format_of("5.0bpw").matrix_bits
        (4.4597, 5.0)
    """
    found = _format_in(name)
    if found is not None and _plain(found[1]) == _plain(name):
        return found[0]
    near = difflib.get_close_matches(name.lower(), formats(), n=4, cutoff=0.3)
    raise ValueError(f"format {name!r} is unknown; nearest: {', '.join(near or formats())}")


def native_format(key: str) -> Format | None:
    """The format in which a model was published, None for 16 bits.

    Args:
        key: of the model table.

    Example:
        >>> native_format("gpt-oss-20b").expert_bits
        4.25
    """
    rows = _read("native_formats").set_index("key")["format"]
    return formats()[str(rows[key])] if key in rows.index else None


@functools.cache
def named(name: str) -> Named:
    """Which model a name means, and in which format.

    Args:
        name: key, name or alias of the model table, a hub's id, a tag of Ollama or a file's name.

    Raises:
        ValueError: no model has that name; the nearest names are given.

    Example:
        >>> found = named("unsloth/Llama-3.1-8B-Instruct-Q4_K_M.gguf")
        >>> found.key, found.format.name
        ('llama-3.1-8b', 'Q4_K_M')
        >>> named("qwen2.5:7b").assumed
        'Ollama fetches Q4_K_M where a tag names no format'
    """
    stated = _stated(name)
    bare = name
    for _, letters in stated:
        bare = bare.replace(letters, " ")
    key = next((key for each in _readings(name, bare) if (key := _known("models", each))), None)
    if key is None:
        raise ValueError(f"model {name!r} is unknown; nearest: {_nearest('models', bare)}")
    if stated:
        return Named(key, _fitted(_one_of(stated, name), key, name))
    # A tag of Ollama is a short name, a colon and a size: neither an owner nor a space.
    is_tag = re.fullmatch(r"[a-z0-9.-]+:[a-z0-9.-]+", name) is not None
    native = native_format(key)
    if is_tag and (native is None or native.key != "mxfp4"):
        usual = formats()[OLLAMA_DEFAULT]
        return Named(key, usual, f"Ollama fetches {usual.name} where a tag names no format")
    return Named(key, None)


def _stated(name: str) -> list[tuple[Format, str]]:
    """Every format that a name states, with the letters that state it."""
    found = []
    rest = name
    while (each := _format_in(rest)) is not None:
        found.append(each)
        rest = rest.replace(each[1], " ")
    return found


def _one_of(stated: list[tuple[Format, str]], name: str) -> Format:
    """The one format of a name, or that of its experts beside that of the rest."""
    exact = [pair for pair in stated if pair[0].key not in ("int4", "int8")] or stated
    if len(exact) == 1:
        return exact[0][0]
    if len(exact) == 2:
        for (experts, letters), (rest, _) in (exact, exact[::-1]):
            if re.search(rf"{re.escape(letters)}[ _-]?experts", name, re.IGNORECASE):
                return Format(
                    f"{experts.key}+{rest.key}",
                    f"{experts.name} experts, {rest.name} elsewhere",
                    experts.expert_bits,
                    rest.matrix_bits,
                    rest.embedding_bits,
                )
    said = ", ".join(each.name for each, _ in exact)
    raise ValueError(f"model {name!r} names several formats, {said}; name one")


def _fitted(stated: Format, key: str, name: str) -> Format:
    """A stated format as its kind of file holds it."""
    if stated.key == "mxfp4" and "gguf" in name.lower():
        return formats()["mxfp4-gguf"]
    generic = re.fullmatch(r"int(4|8)", stated.key)
    if generic and "mlx" in name.lower():
        return formats()[f"mlx-{generic[1]}bit"]
    return stated


def key_of(table: str, name: str) -> str:
    """The key that a name means, as `named` reads it or, for machines, whatever memory it states.

    Args:
        table: "machines" or "models".
        name: as people have it.

    Raises:
        ValueError: the name is unknown; the nearest names are given.

    Example:
        >>> key_of("machines", "NVIDIA A100-SXM4-80GB")
        'a100-sxm-80gb'
    """
    if table == "models":
        return named(name).key
    counted = _COUNT.search(name)
    if counted and _known(table, name) is None:
        count = counted[1] or counted[2]
        raise ValueError(
            f"machine {name!r} names {count} devices; name one, and say devices={count} "
            f"(on the command line --devices {count})"
        )
    for each in _machine_readings(name):
        key = _known(table, each)
        if key:
            return key
    raise ValueError(f"machine {name!r} is unknown; nearest: {_nearest(table, name)}")


def memory_of(name: str) -> float | None:
    """The memory that a machine's name states, the first size in it [B]; None if it states none.

    A host in front of brackets is not the device: the size must stand in the device's own name.

    Args:
        name: as people have it.

    Example:
        >>> memory_of("M4 Max 64GB"), memory_of("Pi 5 - 8GB (AMD RX 7600)")
        (64000000000.0, None)
    """
    inside = re.search(r"\(([^()]*)\)", name)
    own = inside[1] if inside and re.search(r"[a-z]{2}", inside[1], re.IGNORECASE) else name
    sizes = _MEMORY.findall(own)
    if not sizes:
        return None
    number, unit = sizes[0]
    return float(number) * (1e12 if unit.lower() == "tb" else 1e9)


def _known(table: str, text: str) -> str | None:
    found = _names(table).get(_plain(text))
    return found[0] if found else None


def _readings(name: str, bare: str) -> Iterator[str]:
    """A model's name with less and less of what does not say which model it is."""
    for text in (name, bare):
        yield text
        own = text.rsplit("/", 1)[-1]
        yield own
        own = re.sub(r"\.gguf$|-\d{5}-of-\d{5}", "", own, flags=re.IGNORECASE)
        yield own
        words = [word.strip(".") for word in re.split(r"[\s_:-]+", own)]
        words = [word for word in words if word.lower() not in _SOFT]
        yield " ".join(words)
        yield " ".join(word for word in words if not _DATE.fullmatch(word.lower()))


def _machine_readings(name: str) -> Iterator[str]:
    yield name
    less = _MEMORY.sub(" ", name)
    for text in (name, less):
        plain = re.sub(r"\bsxm[2-6]\b", "sxm", text, flags=re.IGNORECASE)
        plain = re.sub(r"\bmac(book)? ?(pro|air|mini|studio)\b", " ", plain, flags=re.IGNORECASE)
        words = re.split(r"[\s_()-]+", plain)
        kept = [word for word in words if word.lower() not in _VENDORS]
        yield " ".join(kept)
        yield " ".join(word for word in kept if word.lower() not in ("sxm", "generation"))


@functools.cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Aliases of formats as patterns, longest first, whatever dash stands between their parts."""
    pairs = [
        (alias, row.key)
        for row in _read("formats").itertuples()
        for alias in str(row.aliases).split(" | ")
    ]
    made = []
    for alias, key in sorted(pairs, key=lambda pair: -len(pair[0])):
        body = "[ _-]?".join(re.escape(part) for part in re.split(r"[ _-]", alias))
        # A digit after a point belongs to a number, a letter after a point to a file's name.
        before = "[a-z0-9.]" if alias[0].isdigit() else "[a-z0-9]"
        made.append((re.compile(rf"(?<!{before}){body}(?![a-z0-9])", re.IGNORECASE), key))
    return tuple(made)


def _format_in(name: str) -> tuple[Format, str] | None:
    """The format that a name states and the letters that state it."""
    each = _BITS_EACH.search(name)
    if each:
        bits = float(each[1])
        return Format(f"{bits:g}bpw", f"{bits:g} bits a weight", bits, bits, bits), each[0]
    for pattern, key in _patterns():
        found = pattern.search(name)
        if found:
            return formats()[key], found[0]
    return None


def _nearest(table: str, text: str) -> str:
    """Names near to a text: those that hold it or begin like it first, then those spelt alike."""
    wanted, names = _plain(text.rsplit("/", 1)[-1]), _names(table)
    holding = [each for each in names if wanted and (wanted in each or each in wanted)]
    holding.sort(key=lambda each: abs(len(each) - len(wanted)))
    alike = difflib.get_close_matches(wanted, names, n=5, cutoff=0.5)
    shown = dict.fromkeys(names[each][1] for each in (*holding[:4], *alike))
    return ", ".join(list(shown)[:5]) or "nothing is near"
