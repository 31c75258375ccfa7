"""How fast the library is, as a table: `make bench`.

Figures depend on the machine; they are printed, never tested. Each is the best of several runs,
because everything else that a machine does only makes a run slower.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import timeit

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from tokenwall.program import compile_program
from tokenwall.roofline import batch_token_rate, decode_rate

POINTS = 1_000_000
SWEEP = 10_000_000
PROBE = """
import sys, time
start = time.perf_counter()
import tokenwall
print(time.perf_counter() - start, "matplotlib" in sys.modules, "pandas" in sys.modules)
"""


def best(task, number: int, repeat: int = 7) -> float:
    """Least mean time of one call, in seconds."""
    return min(timeit.repeat(task, number=number, repeat=repeat)) / number


def points(equation, count: int) -> dict[str, np.ndarray]:
    """Random arguments within a tenth of typical values, as arrays."""
    from tokenwall.equation import symbol_table

    generator = np.random.default_rng(0)
    arguments = {}
    for name in equation.parameters:
        row, whole = symbol_table()[name], equation.quantities[name].domain.whole
        middle = (max(row.low, row.high * 1e-6) * row.high) ** 0.5
        values = middle * generator.uniform(0.9, 1.1, count)
        arguments[name] = np.ceil(values) if whole else np.minimum(values, row.high)
    return arguments


def import_cost() -> tuple[float, str]:
    """Least time of `import tokenwall` in a fresh interpreter, and what it drags in."""
    runs = [
        subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
        for _ in range(5)
    ]
    fields = [run.stdout.split() for run in runs]
    heavy = [
        n for n, seen in zip(("Matplotlib", "pandas"), fields[0][1:], strict=True) if seen == "True"
    ]
    return min(float(f[0]) for f in fields), " and ".join(heavy) or "neither Matplotlib nor pandas"


def sweeps() -> list[tuple[str, str, str]]:
    """Ten million decode predictions, a million whole ones: points a second, peak memory."""
    import tracemalloc

    from tokenwall.sweep import computed, sweep

    asked = {"model": "Llama 3.1 70B", "machine": "H100 SXM", "devices": 8, "weight_bits": 8}
    context = np.arange(1000)
    rows = []
    for what, count, quantity, chunks in (
        ("sweep, decode steps, in memory", SWEEP, "time_per_output_token", None),
        ("sweep, decode steps, largest of lazy blocks", SWEEP, "time_per_output_token", 500_000),
        ("sweep, whole predictions, in memory", SWEEP // 10, "tokens_per_second", None),
    ):
        batch = np.linspace(1, 512, count // context.size)

        def task(q=quantity, c=chunks, b=batch):
            found = sweep(
                **asked, batch=b, input_len=context, quantities=[q], chunks=c, progress=False
            )
            return computed(found[q].max(), progress=False)

        seconds = best(task, 1, 3)
        tracemalloc.start()
        task()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        points = f"{count / seconds / 1e6:,.1f} M points/s"
        rows.append((what, points, f"{count / 1e6:g} M points, peak {peak / 1e6:,.0f} MB"))
    return rows


def main() -> None:
    """Measure and print."""
    rows: list[tuple[str, str, str]] = []
    for equation in (decode_rate, batch_token_rate):
        name, arrays = equation.__name__, points(equation, POINTS)
        scalars = {key: float(values[0]) for key, values in arrays.items()}
        checked = POINTS / best(lambda e=equation, a=arrays: e(**a), 5)
        columns = tuple(arrays.values())
        bare = POINTS / best(lambda e=equation, c=columns: e.numpy(*c), 5)
        once = best(lambda e=equation, s=scalars: e(**s), 2000)
        rows += [
            (
                f"{name}, arrays of 10⁶, checked",
                f"{checked / 1e6:,.0f} M points/s",
                "at least 50 M",
            ),
            (f"{name}, arrays of 10⁶, .numpy", f"{bare / 1e6:,.0f} M points/s", "at least 50 M"),
            (f"{name}, one point", f"{once * 1e6:.1f} µs", "under 50 µs"),
        ]
    program = best(lambda: compile_program(batch_token_rate.expr, batch_token_rate.parameters), 20)
    rows.append(("compile one equation for the page", f"{program * 1e3:.1f} ms", ""))
    seconds, heavy = import_cost()
    rows.append(("import tokenwall", f"{seconds * 1e3:.0f} ms, {heavy}", "under 500 ms, neither"))
    rows += sweeps()
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {os.cpu_count()} cores")
    width = [max(len(row[i]) for row in rows) for i in range(2)]
    for what, figure, bar in rows:
        print(f"{what:<{width[0]}}  {figure:<{width[1]}}  {bar}".rstrip())


if __name__ == "__main__":
    main()
