"""The points and rows by which other programs are judged, and this one beside them."""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from tokenwall import data
from tokenwall.data import peers
from tokenwall.serving import engines, published
from tokenwall.serving.fit import Fit
from tokenwall.serving.predict import predict
from tokenwall.validation.judged import middle, rows

__all__ = ["judge_points", "peer_table", "point_table", "write_points"]

_POINTS = resources.files("tokenwall").joinpath("data/serving_points.csv")


def _point_time(row: Any, constants: engines.Engine | str) -> float:
    prompt = row.quantity == "prefill_time"
    # Some were measured beyond the length that the model was trained for; time does not mind.
    model = data.model(row.model)
    model["context_limit"] = math.nan
    answer = predict(
        model,
        row.machine,
        devices=int(row.devices),
        batch=row.batch,
        input_len=row.input_tokens if prompt else row.context - 0.5,
        output_len=1,
        weight_bits=row.weight_bits,
        kv_bits=row.kv_bits,
        engine=constants,
    )
    step = answer.time_per_output_token
    return float(answer.batch_time - step if prompt else step)


def _sources(row: Any) -> list[str]:
    return str(row.source).split("; ")


def judge_points() -> pd.DataFrame:
    """Predictions of the 22 points by constants fitted without the sources of each; slow.

    Returns:
        Columns: id and left_out [s].
    """
    cases = published.cases()[0]
    fits: dict[str, Fit] = {}
    made = []
    for row in peers.points().itertuples():
        named = _sources(row)
        if any(source.startswith("nvidia2023trtllm") for source in named):
            named = [s for s in {c.row.source for c in cases} if s.startswith("nvidia2023trtllm")]
        key = " ".join(sorted(named))
        if key not in fits:
            fits[key] = Fit([case for case in cases if case.row.source not in named])
        stack = engines.stack_of(row.engine, _sources(row)[0], row.model)
        made.append((row.Index, _point_time(row, fits[key].engine(stack))))
    return pd.DataFrame(made, columns=["id", "left_out"])


def write_points(frame: pd.DataFrame) -> None:
    """Store what `judge_points` found.

    Args:
        frame: of `judge_points`.
    """
    kept = frame.assign(left_out=frame["left_out"].map(lambda value: f"{value:.5g}"))
    kept.to_csv(Path(str(_POINTS)), index=False, lineterminator="\n")


def point_table() -> pd.DataFrame:
    """The 22 points that peers are judged by, with our predictions.

    Returns:
        Rows of `data.peers.points` with predicted [s] by the stored constants, left_out [s] by
        constants that never saw the sources of the point, and error and left_out_error:
        predicted over measured time, less one.
    """
    table = peers.points()
    table["predicted"] = [
        _point_time(row, engines.stack_of(row.engine, _sources(row)[0], row.model))
        for row in table.itertuples()
    ]
    stored = pd.read_csv(Path(str(_POINTS))).set_index("id")
    table["left_out"] = stored["left_out"]
    for name, column in (("error", "predicted"), ("left_out_error", "left_out")):
        table[name] = table[column] / table["value"] - 1
    return table


def peer_table(frame: pd.DataFrame | None = None) -> pd.DataFrame:
    """Other programs beside this one: on the 22 points, and on published rows that both cover.

    Args:
        frame: our rows; all by default.

    Returns:
        By peer and setting, ours last twice (fitted, left out): points (of 22), decode and prefill (mean
        absolute errors on the points that it answers), rows (published measurements that it
        answers), share (of all published measurements), theirs and ours (median absolute error on
        the rows that both answer, ours from constants that never saw the row).
    """
    every = (rows() if frame is None else frame).set_index("id")
    found = peers.errors()
    total = len(data.measurements())
    ours = every["unseen"] / every["measured"] - 1
    made = []
    for (name, setting), group in found.groupby(["peer", "setting"]):
        point = group["id"].isin(peers.points().index)
        common = group[~point & group["id"].isin(every.index)]
        made.append(
            {
                "peer": f"{name}, {setting}",
                **_on_points(group[point].set_index("id")["error"]),
                "rows": int((~point).sum()),
                "share": float((~point).sum()) / total,
                "common": len(common),
                "theirs": middle(common["error"]),
                "ours": middle(common["id"].map(ours)),
            }
        )
    points = point_table()
    for name, column in (("this book", "error"), ("this book, left out", "left_out_error")):
        made.append(
            {
                "peer": name,
                **_on_points(points[column]),
                "rows": len(every),
                "share": len(every) / total,
                "common": len(every),
                "theirs": math.nan,
                "ours": middle(ours),
            }
        )
    return pd.DataFrame(made).set_index("peer")


def _on_points(error: pd.Series) -> dict[str, float]:
    decode = error[error.index.str.startswith("D")].abs()
    prefill = error[error.index.str.startswith("P")].abs()
    return {"points": len(error), "decode": decode.mean(), "prefill": prefill.mean()}
