"""Time naive against fused attention on the GPU at hand and store the table.

    python tools/measure_attention.py [--out FILE]

Writes lib/tokenwall/data/attention_measured.csv with date and device. Needs PyTorch with CUDA; the
book needs neither. Without them it says so, writes nothing and leaves with a code of its own.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent / "lib/tokenwall/data/attention_measured.csv"
COLUMNS = (
    "id machine kernel phase causal head_size heads batch tokens naive naive_format fused "
    "fused_format unit fused_bytes source locator note device date"
).split()
MEASURED, NO_TORCH, NO_GPU = 0, 3, 4
TOKENS_IN_ALL, HIDDEN, REPEATS = 16384, 2048, 30


@dataclass(frozen=True)
class Case:
    """One shape: tokens in all and hidden size stay the same, as in the published benchmark."""

    tokens: int
    head_size: int
    causal: bool

    @property
    def batch(self) -> int:
        """Sequences at once."""
        return TOKENS_IN_ALL // self.tokens

    @property
    def heads(self) -> int:
        """Heads of each."""
        return HIDDEN // self.head_size


CASES = [
    Case(tokens, size, causal)
    for causal in (False, True)
    for size in (64, 128)
    for tokens in (512, 1024, 2048, 4096, 8192)
]
# Seconds of one forward pass, naive or fused.
Timer = Callable[[str, Case], float]


def rows(timer: Timer, device: str, date: str) -> list[dict[str, object]]:
    """The table: one line a case, times in ms."""
    lines = []
    for case in CASES:
        naive, fused = (1e3 * timer(kind, case) for kind in ("naive", "fused"))
        mask = "causal" if case.causal else "full"
        lines.append(
            {
                "id": f"here-{mask}-{case.head_size}-{case.tokens}",
                "machine": device.lower().replace(" ", "-"),
                "kernel": "scaled_dot_product_attention",
                "phase": "forward",
                "causal": str(case.causal).lower(),
                "head_size": case.head_size,
                "heads": case.heads,
                "batch": case.batch,
                "tokens": case.tokens,
                "naive": f"{naive:.4g}",
                "naive_format": "bf16",
                "fused": f"{fused:.4g}",
                "fused_format": "bf16",
                "unit": "ms",
                "fused_bytes": 2,
                "source": "here",
                "locator": "tools/measure_attention.py",
                "note": f"median of {REPEATS} runs",
                "device": device,
                "date": date,
            }
        )
    return lines


def write(lines: list[dict[str, object]], out: Path) -> None:
    """Store the table."""
    with out.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(lines)


def gpu_timer(torch) -> Timer:
    """Times of PyTorch on the present device, by events, median of several runs."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    fused = torch.nn.functional.scaled_dot_product_attention
    backends = [SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION]

    def naive(q, k, v, *, is_causal: bool):
        # Spelled out, because the "math" backend may compute in 32 bits.
        scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
        if is_causal:
            ones = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device)
            scores = scores.masked_fill(ones.triu(1), float("-inf"))
        return scores.softmax(dim=-1) @ v

    def timer(kind: str, case: Case) -> float:
        shape = (case.batch, case.heads, case.tokens, case.head_size)
        q, k, v = (torch.randn(shape, device="cuda", dtype=torch.bfloat16) for _ in range(3))
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        times = []
        with torch.no_grad(), sdpa_kernel(backends):
            for run in range(REPEATS + 5):
                start.record()
                (naive if kind == "naive" else fused)(q, k, v, is_causal=case.causal)
                stop.record()
                torch.cuda.synchronize()
                if run >= 5:
                    times.append(start.elapsed_time(stop) / 1e3)
        return sorted(times)[len(times) // 2]

    return timer


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args(arguments).out
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: nothing measured, nothing written.")
        return NO_TORCH
    if not torch.cuda.is_available():
        print("PyTorch sees no CUDA device: nothing measured, nothing written.")
        return NO_GPU
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    write(rows(gpu_timer(torch), torch.cuda.get_device_name(), today), out)
    print(f"wrote {out}")
    return MEASURED


if __name__ == "__main__":
    sys.exit(main())
