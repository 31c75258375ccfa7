"""How each peer is asked for a decode step and a prefill. Runs inside the peer's own environment.

    _build/peers/PEER/bin/python tools/peer_calls.py PEER CASES ANSWERS

CASES is a JSON list, the same for all peers, with model and machine in SI; ANSWERS gets the
version, and for each setting and case a time in s, a rate in token/s, or the reason why there is
none. Only the standard library and the peer are imported here.

A `Question` is a model on a machine with its widths and devices. A peer's function turns it into
two, the time of one step (batch, context) and of one prefill (batch, tokens), and builds all
objects first.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import io
import json
import logging
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

Times = tuple[Callable[[int, int], float], Callable[[int, int], float]]
FIT = "does not fit in memory, it says"


class Unable(Exception):
    """The peer has no words for the question; the message says which."""


class Question(dict):
    """Model, machine, devices and widths; hashable, so that objects are built once."""

    def __hash__(self) -> int:
        return hash(json.dumps(self, sort_keys=True))


def plain(model: dict[str, Any]) -> None:
    """Refuse what none of the peers tells from a plain decoder.

    Raises:
        Unable: a part of the layers or of the experts is of another kind.
    """
    if model["dense_layers"] or model["shared_experts"]:
        raise Unable("dense layers or shared experts beside the others")


def width(model: dict[str, Any]) -> float:
    """Width of the feed-forward block, or of one expert."""
    return model["expert_feedforward_size"] if model["experts"] else model["feedforward_size"]


def usual_heads(model: dict[str, Any]) -> None:
    """Refuse heads that the peer would give another size.

    Raises:
        Unable: heads times their size is not the hidden size.
    """
    if model["heads"] * model["head_size"] != model["hidden_size"]:
        raise Unable("heads not of hidden size over heads")


# ------------------------------------------------------------------------------------ llm-analysis


def llm_analysis_objects(question: Question, options: dict[str, Any]) -> Any:
    """The peer's analysis object; two matrices a feed-forward block is all it knows."""
    from llm_analysis.analysis import LLMAnalysis
    from llm_analysis.config import DtypeConfig, GPUConfig, ModelConfig, ParallelismConfig

    model, machine = question["model"], question["machine"]
    plain(model)
    usual_heads(model)
    eight = machine["peak_rate_fp8"] or machine["peak_rate_int8"]
    if question["activation_bits"] == 8 and not eight:
        raise Unable("no 8-bit rate in the table")
    return LLMAnalysis(
        ModelConfig(
            name=model["name"],
            num_layers=int(model["layers"]),
            n_head=int(model["heads"]),
            hidden_dim=int(model["hidden_size"]),
            vocab_size=int(model["vocabulary"]),
            num_key_value_heads=int(model["kv_heads"]),
            ffn_embed_dim=int(width(model)),
            expansion_ratio=width(model) / model["hidden_size"],
            moe_num_experts=int(model["experts"] or 1),
            moe_top_k=int(model["experts_per_token"] or 1),
        ),
        GPUConfig(
            name=machine["name"],
            mem_per_GPU_in_GB=machine["memory_capacity"] / 1e9,
            hbm_bandwidth_in_GB_per_sec=machine["memory_bandwidth"] / 1e9,
            intra_node_bandwidth_in_GB_per_sec=(machine["link_bandwidth"] or 1e9) / 1e9,
            intra_node_min_message_latency=8e-6,  # of its own descriptions of GPUs
            peak_fp16_TFLOPS=machine["peak_rate_fp16"] / 1e12,
            peak_i8_TFLOPS=eight / 1e12 if eight else None,
        ),
        DtypeConfig(
            weight_bits=question["weight_bits"], activation_bits=int(question["activation_bits"])
        ),
        ParallelismConfig(tp_size=int(question["devices"])),
        **options,
    )


def llm_analysis(question: Question, options: dict[str, Any]) -> Times:
    """The terms of `inference()`, without its checks of memory."""
    analysis = llm_analysis_objects(question, options)
    layers, kv_bytes = int(question["model"]["layers"]), question["kv_bits"] / 8
    bandwidth = analysis.get_gpu_hbm_bandwidth() * 1e9

    def pass_time(batch: int, tokens: int) -> float:
        return analysis.get_latency_fwd(batch, tokens, is_inference=True, layernorm_dtype_bytes=2)[
            0
        ]

    def step(batch: int, context: int) -> float:
        cache = analysis.get_memory_kv_cache_per_layer(
            batch, context, kv_cache_dtype_bytes=kv_bytes
        )
        return pass_time(batch, 1) + 2 * cache * layers / bandwidth

    return step, pass_time


def llm_analysis_documented(question: Question, options: dict[str, Any]) -> Callable[..., float]:
    """`inference()` for one token."""
    analysis = llm_analysis_objects(question, options)
    return lambda batch, context: analysis.inference(
        batch_size_per_gpu=batch, seq_len=context, num_tokens_to_generate=1
    )["decode_latency"]


# ---------------------------------------------------------------------------------------- genz-llm


def genz(question: Question, options: dict[str, Any]) -> Times:
    """`decode_moddeling()` and `prefill_moddeling()`; all tensors have the width of weights."""
    from GenZ import decode_moddeling, prefill_moddeling
    from GenZ.Models.default_models import ModelConfig

    model, machine = question["model"], question["machine"]
    plain(model)
    shared = {
        "model": ModelConfig(
            model=model["name"],
            vocab_size=int(model["vocabulary"]),
            hidden_size=int(model["hidden_size"]),
            intermediate_size=int(width(model)),
            num_ffi=int(model["feedforward_matrices"]) - 1,
            num_decoder_layers=int(model["layers"]),
            num_attention_heads=int(model["heads"]),
            num_key_value_heads=int(model["kv_heads"]),
            head_dim=int(model["head_size"]),
            num_experts=int(model["experts"] or 1),
            expert_top_k=int(model["experts_per_token"] or 1),
        ),
        "system_name": {
            "Flops": machine["peak_rate_fp16"] / 1e12,
            "Memory_size": machine["memory_capacity"] / 1e9,
            "Memory_BW": machine["memory_bandwidth"] / 1e9,
            "ICN": (machine["link_bandwidth"] or 1e9) / 1e9,
            "real_values": True,
        },
        "bits": one_width(question, {16: "bf16", 8: "int8", 4: "int4"}),
        "tensor_parallel": int(question["devices"]),
        **options,
    }

    def step(batch: int, context: int) -> float:
        return latency(decode_moddeling, batch, context, output_tokens=0, Bb=1)

    def prefill(batch: int, tokens: int) -> float:
        return latency(prefill_moddeling, batch, tokens)

    def latency(call: Callable[..., Any], batch: int, tokens: int, **more: int) -> float:
        try:
            found = call(batch_size=batch, input_tokens=tokens, **shared, **more)
        except ValueError as refusal:
            raise Unable(FIT if "not fit" in str(refusal) else str(refusal)) from refusal
        return float(found["Latency"]) / 1e3

    return step, prefill


def one_width(question: Question, names: dict[int, str]) -> str:
    """The peer's name for the width of all tensors, fp8 where activations have 8 bits too.

    Raises:
        Unable: it has no such width.
    """
    bits = question["weight_bits"]
    if bits not in names:
        raise Unable("no such width of weights")
    return "fp8" if bits == question["activation_bits"] == 8 else names[bits]


# ----------------------------------------------------------------------------------------- mlsysim


def mlsysim(question: Question, options: dict[str, Any]) -> Times:
    """`ServingModel.solve()`; it knows no tensor parallelism, hence the second setting."""
    from mlsysim.core.units import Q_
    from mlsysim.hardware.types import ComputeCore, HardwareNode, MemoryHierarchy
    from mlsysim.models.types import SparseTransformerWorkload, TransformerWorkload
    from mlsysim.solvers import ServingModel

    model, machine, count = question["model"], question["machine"], question["devices"]
    plain(model)
    if (count > 1) != options["added"]:
        raise Unable("one device only" if count > 1 else "one device: as with the defaults")
    precision = one_width(question, {16: "fp16", 8: "int8", 4: "int4"})
    kind, more = TransformerWorkload, {}
    if model["experts"]:
        kind = SparseTransformerWorkload
        more = {
            "active_parameters": Q_(model["active_parameters"], "count"),
            "experts": int(model["experts"]),
            "active_experts_per_token": int(model["experts_per_token"]),
        }
    workload = kind(
        name=model["name"],
        architecture="Transformer",
        parameters=Q_(model["parameters"], "count"),
        layers=int(model["layers"]),
        hidden_dim=int(model["hidden_size"]),
        heads=int(model["heads"]),
        kv_heads=int(model["kv_heads"]),
        head_dim=int(model["head_size"]),
        **more,
    )
    rates = {"fp16": "peak_rate_fp16", "fp8": "peak_rate_fp8", "int8": "peak_rate_int8"}
    node = HardwareNode(
        name=machine["name"],
        release_year=int(machine["year"]),
        compute=ComputeCore(
            peak_flops=Q_(count * machine["peak_rate_fp16"], "flop/s"),
            precision_flops={
                name: Q_(count * machine[rate], "flop/s")
                for name, rate in rates.items()
                if machine[rate]
            },
        ),
        memory=MemoryHierarchy(
            capacity=Q_(count * machine["memory_capacity"], "B"),
            bandwidth=Q_(count * machine["memory_bandwidth"], "B/s"),
        ),
    )
    solver = ServingModel()

    def solved(batch: int, tokens: int) -> Any:
        found = solver.solve(workload, node, tokens, batch, precision=precision)
        if not found.feasible:
            raise Unable(FIT)
        return found

    return (
        lambda batch, context: float(solved(batch, context).itl.to("s").magnitude),
        lambda batch, tokens: float(solved(batch, tokens).ttft.to("s").magnitude),
    )


# ---------------------------------------------------------------------------------- aiconfigurator

SYSTEMS = {
    "a100-sxm-80gb": "a100_sxm",
    "a100-pcie-80gb": "a100_pcie",
    "h100-sxm": "h100_sxm",
    "h100-pcie": "h100_pcie",
    "h200-sxm": "h200_sxm",
    "b200": "b200_sxm",
    "l40s": "l40s",
}
WIDTHS = {(16, 16): "bfloat16", (8, 8): "fp8", (8, 16): "int8_wo", (4, 16): "int4_wo"}
BACKEND = "trtllm"
DESCRIBED = tempfile.TemporaryDirectory(prefix="peer-models-")  # gone when the process ends


@functools.cache
def configuration(question: Question) -> tuple[str, str, dict[str, str]]:
    """Folder with a description of the model, name of the system, and the widths."""
    model, machine = question["model"], question["machine"]
    plain(model)
    if machine["name"] not in SYSTEMS:
        raise Unable("machine not among its systems")
    if model["feedforward_matrices"] != 3:
        raise Unable("plain feed-forward blocks")
    gemm = WIDTHS.get((question["weight_bits"], question["activation_bits"]))
    if gemm is None:
        raise Unable("no such width of weights")
    if model["experts"] and gemm == "int8_wo":
        raise Unable("no experts with 8-bit weights alone")
    small = "fp8" if question["kv_bits"] == 8 else "bfloat16"
    widths = {"gemm_quant_mode": gemm, "kvcache_quant_mode": small, "fmha_quant_mode": small}
    if model["experts"]:
        widths["moe_quant_mode"] = gemm
    described = {
        "architectures": ["MixtralForCausalLM" if model["experts"] else "LlamaForCausalLM"],
        "hidden_act": "silu",
        "hidden_size": int(model["hidden_size"]),
        "intermediate_size": int(width(model)),
        "num_attention_heads": int(model["heads"]),
        "num_hidden_layers": int(model["layers"]),
        "num_key_value_heads": int(model["kv_heads"]),
        "head_dim": int(model["head_size"]),
        "max_position_embeddings": 131072,
        "vocab_size": int(model["vocabulary"]),
        "tie_word_embeddings": bool(model["tied_embeddings"]),
        "torch_dtype": "bfloat16",
    }
    if model["experts"]:
        described["num_local_experts"] = int(model["experts"])
        described["num_experts_per_tok"] = int(model["experts_per_token"])
    folder = Path(tempfile.mkdtemp(dir=DESCRIBED.name))
    (folder / "config.json").write_text(json.dumps(described))
    return str(folder), SYSTEMS[machine["name"]], widths


def aiconfigurator(question: Question, options: dict[str, Any]) -> Times:
    """A session that is built once; its tables were measured, SOL is its own roofline."""
    from aiconfigurator.sdk import common, config
    from aiconfigurator.sdk.backends.factory import get_backend
    from aiconfigurator.sdk.inference_session import InferenceSession
    from aiconfigurator.sdk.models import get_model
    from aiconfigurator.sdk.perf_database import get_database_view, get_latest_database_version

    folder, system, widths = configuration(question)
    enums = {
        "gemm_quant_mode": common.GEMMQuantMode,
        "kvcache_quant_mode": common.KVCacheQuantMode,
        "fmha_quant_mode": common.FMHAQuantMode,
        "moe_quant_mode": common.MoEQuantMode,
    }
    version = get_latest_database_version(system, BACKEND)
    base = get_database_view(system, BACKEND, version, **options) if version else None
    if base is None:
        raise Unable("no tables for the machine")
    count = int(question["devices"])
    described = config.ModelConfig(
        tp_size=count,
        moe_tp_size=count,
        moe_ep_size=1,
        **{name: enums[name][mode] for name, mode in widths.items()},
    )
    session = InferenceSession(get_model(folder, described, BACKEND), base, get_backend(BACKEND))

    def run(mode: str, batch: int, tokens: int, made: int) -> float:
        asked = config.RuntimeConfig(batch_size=batch, isl=tokens, osl=made)
        return session.run_static_latency_only(asked, mode) / 1e3

    return (
        lambda batch, context: run("static_gen", batch, context, 2),
        lambda batch, tokens: run("static_ctx", batch, tokens, 1),
    )


def aiconfigurator_documented(question: Question, options: dict[str, Any]) -> Callable[..., float]:
    """`cli_estimate()`, which builds its session at every call."""
    from aiconfigurator.cli.api import cli_estimate

    folder, system, widths = configuration(question)

    def step(batch: int, context: int) -> float:
        return (
            cli_estimate(
                folder, system, mode="static_gen", isl=context, osl=2, batch_size=batch, **widths
            ).tpot
            / 1e3
        )

    return step


# ------------------------------------------------------------------------------------------- all

# For each peer: how to ask, how its documentation asks where that is another way, and its settings.
# The first setting is what the peer does by itself; others are what its documents recommend or
# offer, but for mlsysim, where devices that are added up to one are our way round.
PEERS: dict[str, tuple[Callable[..., Times], Callable[..., Any] | None, dict[str, dict]]] = {
    "llm-analysis": (
        llm_analysis,
        llm_analysis_documented,
        {
            "defaults": {},
            "flops 0.7, hbm 0.9": {"flops_efficiency": 0.7, "hbm_memory_efficiency": 0.9},
        },
    ),
    "genz-llm": (
        genz,
        None,
        {"defaults": {"system_eff": 1}, "system_eff 0.8": {"system_eff": 0.8}},
    ),
    "mlsysim": (
        mlsysim,
        None,
        {"defaults": {"added": False}, "devices added up": {"added": True}},
    ),
    "aiconfigurator": (
        aiconfigurator,
        aiconfigurator_documented,
        {"SILICON": {"database_mode": "SILICON"}, "SOL": {"database_mode": "SOL"}},
    ),
}


@contextlib.contextmanager
def quiet():
    """Neither prints nor warnings nor logs."""
    logging.disable(logging.CRITICAL)
    sink = io.StringIO()
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(sink),
        contextlib.redirect_stderr(sink),
    ):
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


def answer(times: Times, case: dict[str, Any]) -> float:
    """What a case asks for: a time in s, or the rate in token/s of a whole static batch."""
    step, prefill = times
    batch = int(case["batch"])
    if case["quantity"] == "decode_step_time":
        return step(batch, int(case["context"]))
    first = prefill(batch, int(case["input_tokens"]))
    if case["quantity"] == "prefill_time":
        return first
    made = case["output_tokens"]
    return batch * made / (first + made * step(batch, int(case["context"])))


def answers(peer: str, cases: list[dict[str, Any]]) -> dict[str, Any]:
    """Version and, for each setting, a value or a reason for each case."""
    ask, _, settings = PEERS[peer]
    given: dict[str, dict[str, float | str]] = {}
    for setting, options in settings.items():
        built: dict[Question, Times | str] = {}
        found = given[setting] = {}
        for case in cases:
            question = Question(case["question"])
            if question not in built:
                built[question] = attempt(lambda q=question, o=options: ask(q, o))
            times = built[question]
            if isinstance(times, str):
                found[case["id"]] = times
            else:
                found[case["id"]] = attempt(lambda t=times, c=case: answer(t, c))
    return {"version": importlib.metadata.version(peer), "answers": given}


def attempt(task: Callable[[], Any]) -> Any:
    """The result, or why there is none; a peer's own failure must not stop the others."""
    try:
        return task()
    except Unable as why:
        return str(why)
    except Exception as why:
        return f"{type(why).__name__}: {' '.join(str(why).split())[:60]}"


def main() -> None:
    """Answer all cases."""
    peer, cases, out = sys.argv[1:]
    with quiet():
        made = answers(peer, json.loads(Path(cases).read_text()))
    Path(out).write_text(json.dumps(made))


if __name__ == "__main__":
    main()
