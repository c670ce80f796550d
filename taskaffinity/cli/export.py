"""``taskaffinity export RESULTS --task NAME --out DIR``: write a trained task as a transformers model."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.cli.console.results import warn_if_synthetic
from taskaffinity.cli.options.run import ShareWithGroup
from taskaffinity.runs.best_model import best_model


def command(
    results: Annotated[
        Path, typer.Argument(help="Results folder of `taskaffinity train`, or of a study with --keep-models.")
    ],
    task: Annotated[str, typer.Option(help="Task to export.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    run: Annotated[
        str | None,
        typer.Option(
            help="Run to export (default: the best on dev; under --protocol paper, the run of the first seed)."
        ),
    ] = None,
    encoder: Annotated[str | None, typer.Option(help="Folder of the run's encoder, if it has moved.")] = None,
    push_to_hub: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER/NAME",
            help="Upload the folder to this repository of the model hub, which is private if it is new. Refused if a "
            "training corpus is under a data use agreement.",
        ),
    ] = None,
    share_with_group: ShareWithGroup = False,
) -> None:
    """Write a trained task as a folder that transformers loads (AutoModelFor..., pipeline)."""
    stored = best_model(results, task, run)
    from taskaffinity.training.export.export import export
    from taskaffinity.training.export.model_card import agreements_of  # loads torch, so only after the checks

    if push_to_hub is not None:
        from taskaffinity.training.export.push import check_pushable, push

        check_pushable(stored, push_to_hub)
    export(stored, out, encoder, share_with_group=share_with_group)
    warn_if_synthetic(stored.study.synthetic)
    if asked := agreements_of(stored):
        print(
            f"trained on text under a data use agreement ({'; '.join(asked)}): its weights can reveal that text; "
            "share the folder only as the agreement allows",
            file=sys.stderr,
        )
    how = "given by --run" if run else "the run of the first seed, because this protocol trains on dev"
    if stored.chosen_from:
        others = f"the best on dev of {stored.chosen_from} with a stored model"
        how = others if stored.chosen_from > 1 else "the only run with a stored model"
    dev, test = 100 * stored.outcome.dev_score, 100 * stored.outcome.test
    of_test = f"{test:.1f} on test" if stored.has_test else "no test part"
    print(f"{stored.spec.run_id}, {how}: {stored.outcome.metric} {dev:.1f} on dev, {of_test}")
    print(f"{out}: a transformers model; try `taskaffinity predict {shlex.quote(str(out))} FILE`")
    if push_to_hub is not None:
        print(push(out, push_to_hub))
