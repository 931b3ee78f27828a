"""``python -m training``: simulate, train, evaluate, table, card, export."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from MedRestoreLib.errors import MedRestoreError

app = typer.Typer(
    help="Train the networks of MedRestore, measure them and prepare their weights for release.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="NAME, NAME+OVERRIDE or a TOML file.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Replace one setting; repeatable.")
]
Cache = Annotated[Path, typer.Option(help="Where simulated data are kept.")]
TrainingFolder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Of a training.")]
CACHE = Path("~/.cache/medrestore")
RUNS = Path("build/training")


@app.command()
def train(
    recipe: RecipeName,
    budget: Annotated[str, typer.Option(help="Time to spend, such as 20m; without it the recipe's steps.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda|mps", help="Where to compute.")] = "auto",
    precision: Annotated[str, typer.Option(metavar="auto|float32|bfloat16")] = "auto",
    workers: Annotated[int, typer.Option(help="Processes that prepare batches; for a fast GPU.")] = 0,
    out: Annotated[Path | None, typer.Option(help=f"Folder of this training; {RUNS}/RECIPE by default.")] = None,
    cache: Cache = CACHE,
    settings: Settings = None,
) -> None:
    """Train a recipe; stop it at any moment and go on with --resume. Under torchrun it uses every GPU."""
    from . import recipe as recipes
    from .trainers.loop import train as run
    from .trainers.schedule import seconds

    chosen = recipes.read(recipe, settings)
    folder = run(
        chosen,
        out or RUNS / chosen.name,
        cache.expanduser(),
        budget=seconds(budget) if budget else None,
        resume=resume,
        device=device,
        precision=precision,
        workers=workers,
    )
    typer.echo(f"Trained: {folder}")


@app.command()
def simulate(recipe: RecipeName, cache: Cache = CACHE, settings: Settings = None) -> None:
    """Make the data that a recipe needs; train does it by itself where they are missing."""
    from . import build
    from . import recipe as recipes

    build.source(recipes.read(recipe, settings), cache.expanduser()).prepare()


@app.command()
def evaluate(
    methods: Annotated[list[str], typer.Argument(metavar="METHOD...", help="Baselines, or folders of trainings.")],
    measure: Annotated[str, typer.Option(metavar="restoration|lesions|levels|thinning")] = "restoration",
    protocol: Annotated[str, typer.Option(metavar="p_peak|p_lit", help="The noise; thinning has its own.")] = "p_peak",
    segmenter: Annotated[Path | None, typer.Option(help="Folder of the training that outlines lesions.")] = None,
    data: Annotated[str, typer.Option(metavar="RECIPE", help="The recipe whose test split is used.")] = "emanet_bone",
    patients: Annotated[int, typer.Option(help="How many test patients.")] = 12,
    results: Annotated[Path | None, typer.Option(help="Folder of results; training/tables/results by default.")] = None,
    cache: Cache = CACHE,
    settings: Settings = None,
) -> None:
    """Measure methods on test patients, or on the thinned real scan, and keep the results for the tables."""
    from . import build
    from . import measure as measures
    from . import recipe as recipes
    from .tables.results import FOLDER

    if measure == "thinning":
        found = measures.thinned(methods)
    else:
        source = build.source(recipes.read(data, settings), cache.expanduser())
        source.prepare(("validation", "test"))
        if measure == "lesions":
            if segmenter is None:
                raise recipes.RecipeError("lesions need --segmenter, the folder of a training of seunet_lesions.")
            found = measures.lesions(methods, source, protocol, patients, segmenter)
        elif measure == "levels":
            found = measures.levels(methods, source, patients)
        elif measure == "restoration":
            found = measures.restoration(methods, source, protocol, patients)
        else:
            raise recipes.RecipeError(f"--measure is restoration, lesions, levels or thinning; got '{measure}'.")
    for result in found:
        typer.echo(f"Written: {result.write(results or FOLDER)}")


@app.command()
def table(
    name: Annotated[str, typer.Argument(metavar="3..8|thinning|all")] = "all",
    protocol: Annotated[str, typer.Option(metavar="p_peak|p_lit")] = "p_peak",
    results: Annotated[Path | None, typer.Option(help="Folder of results.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Also write all tables beside the results.")] = False,
) -> None:
    """Print the paper's tables from what was measured."""
    from . import tables
    from .recipe import RecipeError

    if name not in (*tables.TABLES, "all"):
        raise RecipeError(f"there is no table '{name}'; there are {', '.join(tables.TABLES)} and all.")
    folder = results or tables.FOLDER
    for one in tables.TABLES if name == "all" else (name,):
        typer.echo(tables.render(one, protocol, folder))
    if write:
        typer.echo(f"Written: {tables.write(protocol, folder)}")


@app.command()
def export(
    training: TrainingFolder,
    name: Annotated[str, typer.Argument(help="Of the weights, such as emanet_bone.")],
    target: Annotated[Path | None, typer.Option(help="Folder; Resources/weights by default.")] = None,
) -> None:
    """Write a training's network as float16 safetensors, with its row in the manifest."""
    from .export import weights_of

    typer.echo(f"Written: {weights_of(training, name, target)}")


@app.command()
def features(training: TrainingFolder) -> None:
    """Make a training of vgg_features_bone the feature back-end of the perceptual loss."""
    from .export import features_of

    typer.echo(f"Written: {features_of(training)}")


@app.command()
def card(
    training: TrainingFolder,
    name: Annotated[str, typer.Argument(help="Of the weights, such as emanet_bone.")],
    target: Annotated[Path | None, typer.Option(help="Folder; Resources/cards by default.")] = None,
) -> None:
    """Write the card of a training's weights: data, hours, tables and limits."""
    from .export import CARDS
    from .export import card as write

    typer.echo(f"Written: {write(training, name, target or CARDS)}")


def main() -> None:
    """Run the command; bad input is one line on standard error and exit code 2."""
    try:
        app()
    except MedRestoreError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("Stopped; --resume goes on from the last checkpoint.", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
