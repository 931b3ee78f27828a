"""``python -m training``: simulate, train, evaluate, table, export, card, all."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from MedRestoreLib.errors import MedRestoreError

from .evaluation import MEASURES

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
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda|mps", help="Where to compute.")]
Precision = Annotated[str, typer.Option(metavar="auto|float32|bfloat16", help="auto is bfloat16 on CUDA.")]
Results = Annotated[Path | None, typer.Option(help="Folder of results; training/tables/results by default.")]
CACHE = Path("~/.cache/medrestore")
RUNS = Path("build/training")
RETRAINED = Path("build/retrained")


@app.command()
def train(
    recipe: RecipeName,
    budget: Annotated[str, typer.Option(help="Time to spend, such as 20m; without it the recipe's steps.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the last checkpoint.")] = False,
    device: Device = "auto",
    precision: Precision = "auto",
    workers: Annotated[int, typer.Option(help="Processes that prepare batches; for a fast GPU.")] = 0,
    out: Annotated[Path | None, typer.Option(help=f"Folder of this training; {RUNS}/RECIPE by default.")] = None,
    cache: Cache = CACHE,
    settings: Settings = None,
) -> None:
    """Train a recipe; stop it at any moment and continue with --resume. Under torchrun it uses every GPU."""
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


@app.command("all")
def retrain(
    budget: Annotated[str, typer.Option(help="Time for everything, such as 9m.")],
    device: Device = "auto",
    precision: Precision = "auto",
    out: Annotated[Path, typer.Option(help="Folder of the trainings, and of new weights and cards.")] = RETRAINED,
    cache: Cache = CACHE,
    settings: Settings = None,
) -> None:
    """Train all weights that ship again, in parallel, and write new weights and cards; start it again to continue."""
    from .shipping.retrain import Retraining
    from .trainers.schedule import seconds

    retraining = Retraining(out, cache.expanduser(), seconds(budget), device, precision, tuple(settings or ()))
    for written in retraining.run():
        typer.echo(f"Written: {written}")


@app.command()
def simulate(recipe: RecipeName, cache: Cache = CACHE, settings: Settings = None) -> None:
    """Make the data that a recipe needs; train does so itself if they are missing."""
    from . import build
    from . import recipe as recipes

    build.source(recipes.read(recipe, settings), cache.expanduser()).prepare()


@app.command()
def evaluate(
    methods: Annotated[
        list[str], typer.Argument(metavar="METHOD...", help="Baselines, folders of trainings, weights that ship.")
    ],
    measure: Annotated[str, typer.Option(metavar="|".join(MEASURES))] = "restoration",
    protocol: Annotated[str, typer.Option(metavar="p_peak|p_lit|speckle|...", help="The noise.")] = "p_peak",
    segmenter: Annotated[Path | None, typer.Option(help="Folder of the training that segments lesions.")] = None,
    data: Annotated[str, typer.Option(metavar="RECIPE", help="Whose test split is used; the protocol's if none.")] = "",
    patients: Annotated[int, typer.Option(help="How many test patients.")] = 12,
    results: Results = None,
    cache: Cache = CACHE,
    settings: Settings = None,
) -> None:
    """Measure methods on test patients, real frames or the thinned real scan, and keep the results for the tables."""
    from . import build
    from . import recipe as recipes
    from .evaluation.protocols import PROTOCOLS, REAL, HeldOut
    from .tables.results import FOLDER

    if measure not in MEASURES:
        *first, last = MEASURES
        raise recipes.RecipeError(f"--measure is {', '.join(first)} or {last}; got '{measure}'.")
    if protocol not in PROTOCOLS:
        raise recipes.RecipeError(f"--protocol is one of {', '.join(PROTOCOLS)}; got '{protocol}'.")
    chosen = data or PROTOCOLS[REAL if measure == "frames" else protocol].data
    original_size = ["data.arguments.side=0"] if measure == "frames" and not data else []
    recipe = recipes.read(chosen, [*original_size, *(settings or [])])
    test = HeldOut(build.source(recipe, cache.expanduser()), protocol, patients, segmenter)
    for result in recipes.load("training.evaluation", MEASURES[measure])(methods, test):
        typer.echo(result.summary())
        typer.echo(f"Written: {result.write(results or FOLDER)}")


@app.command()
def cine(
    methods: Annotated[list[str], typer.Argument(metavar="METHOD...", help="median, methods of MedRestore, folders.")],
    clips: Annotated[int, typer.Option(help="How many clips at most.")] = 36,
    frames: Annotated[int, typer.Option(help="How many frames of each, from its middle.")] = 16,
    results: Results = None,
) -> None:
    """Measure on real lung clips whether restoring them frame by frame makes them flicker."""
    from .evaluation import cine as cines
    from .tables.results import FOLDER

    for result in cines.results(methods, clips, frames):
        typer.echo(cines.line(result))
        typer.echo(f"Written: {result.write(results or FOLDER)}")


@app.command()
def figure(
    target: Annotated[Path, typer.Argument(metavar="OUT.png")],
    methods: Annotated[list[str] | None, typer.Argument(metavar="[METHOD...]", help="bm3d and emanet if none.")] = None,
) -> None:
    """Draw the real bone scan thinned, restored by methods of the library, and the remainder of the counts."""
    from .evaluation import thinning

    for found in thinning.figure(target, methods or ("bm3d", "emanet")):
        typer.echo("  ".join(f"{key} {value:.4g}" if key != "method" else value for key, value in found.items()))
    typer.echo(f"Written: {target}")


@app.command()
def table(
    name: Annotated[str, typer.Argument(metavar="3..8|thinning|speckle|...|all")] = "all",
    protocol: Annotated[str, typer.Option(metavar="p_peak|p_lit|speckle|speckle_8bit")] = "",
    results: Results = None,
    write: Annotated[bool, typer.Option("--write", help="Also write all tables beside the results.")] = False,
) -> None:
    """Print the papers' tables from the results; "all" are those of the protocol's paper."""
    from . import tables
    from .recipe import RecipeError

    if name not in (*tables.TABLES, "all"):
        raise RecipeError(f"there is no table '{name}'; there are {', '.join(tables.TABLES)} and all.")
    if protocol and protocol not in tables.PROTOCOLS:
        raise RecipeError(f"--protocol is one of {', '.join(tables.PROTOCOLS)}; got '{protocol}'.")
    folder = results or tables.FOLDER
    protocol = protocol or (tables.PROTOCOLS if name == "all" else tables.paper_of(name).protocols)[0]
    for one in tables.paper_of(protocol).tables if name == "all" else (name,):
        typer.echo(tables.render(one, protocol, folder))
    if write:
        typer.echo(f"Written: {tables.write(protocol, folder)}")


@app.command()
def export(
    training: TrainingFolder,
    name: Annotated[str, typer.Argument(help="Of the weights, such as emanet_bone.")],
    target: Annotated[Path | None, typer.Option(help="Folder; Resources/weights by default.")] = None,
    earlier: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="An earlier training: write the mean of both weights.")
    ] = None,
) -> None:
    """Write a training's network as float16 safetensors, with its row in the manifest."""
    from .shipping.export import weights_of

    typer.echo(f"Written: {weights_of(training, name, target, earlier)}")


@app.command()
def features(training: TrainingFolder) -> None:
    """Make a training of vgg_features_bone or resnet_features_ultrasound a feature back-end of losses."""
    from .shipping.export import features_of

    typer.echo(f"Written: {features_of(training)}")


@app.command()
def card(
    training: Annotated[
        str, typer.Argument(metavar="FOLDER|NAME", help="A training; or weights that ship, to renew the tables.")
    ],
    name: Annotated[str, typer.Argument(help="Of the weights, such as emanet_bone.")] = "",
    target: Annotated[Path | None, typer.Option(help="Folder; Resources/cards by default.")] = None,
    results: Results = None,
) -> None:
    """Write the card of a training's weights: data, hours, tables and limits."""
    from .shipping import cards
    from .tables.results import FOLDER

    folders = target or cards.FOLDER, results or FOLDER
    written = cards.write(Path(training), name, *folders) if name else cards.renew(training, *folders)
    typer.echo(f"Written: {written}")


def main() -> None:
    """Run the command; bad input is one line on standard error and exit code 2."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        app()
    except MedRestoreError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("Stopped; --resume continues from the last checkpoint.", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
