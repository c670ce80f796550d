"""``taskaffinity export RESULTS --task NAME --out DIR``: a trained task as a folder that transformers loads."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.cli.console.results import warn_if_synthetic
from taskaffinity.runs.best_model import best_model


def command(
    results: Annotated[Path, typer.Argument(help="A results folder whose runs kept models (--keep-models).")],
    task: Annotated[str, typer.Option(help="The task to export.")],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    run: Annotated[
        str | None,
        typer.Option(
            help="Name of a run (default: the best on dev; under the paper's protocol that of the first seed)."
        ),
    ] = None,
    encoder: Annotated[str | None, typer.Option(help="Folder of the run's encoder, if it was moved.")] = None,
) -> None:
    """Write a trained task as a folder that AutoModelFor... and pipeline load."""
    kept = best_model(results, task, run)
    from taskaffinity.training.export.export import export
    from taskaffinity.training.export.model_card import agreements_of  # torch: after all that can be refused

    export(kept, out, encoder)
    warn_if_synthetic(kept.study.synthetic)
    if asked := agreements_of(kept):
        print(
            f"trained on text under a data use agreement ({'; '.join(asked)}): weights can hold what they were trained "
            "on; share the folder only as the agreement allows",
            file=sys.stderr,
        )
    how = "as asked" if run else "the first seed's, for dev was trained on"
    if kept.chosen_from:
        how = f"the best on dev of {kept.chosen_from} with a kept model"
    dev, test = 100 * kept.outcome.dev, 100 * kept.outcome.test
    print(f"{kept.spec.run_id}, {how}: {kept.outcome.metric} {dev:.1f} on dev, {test:.1f} on test")
    print(f"{out}: a model for transformers, and for `taskaffinity predict {out} FILE`")
