"""``glioseg recipes`` and ``glioseg models``: what there is to choose from."""

from __future__ import annotations

from typing import Annotated

import typer

from glioseg.cli.streams import AsJson, Output


def recipes(
    name: Annotated[str | None, typer.Argument(help="Show this one, every setting spelled out.")] = None,
) -> None:
    """List the recipes that glioseg train knows, or show one."""
    from glioseg.recipe import load_recipe, recipe_names

    if name is not None:
        typer.echo(load_recipe(name).explained(), nl=False)
        return
    width = max(len(one) for one in recipe_names())
    for one in recipe_names():
        typer.echo(f"{one:{width}}  {load_recipe(one).summary}")


def models(
    name: Annotated[str | None, typer.Argument(help="Show the card of this one.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the models that ship, or show the card of one. The first is the default."""
    from glioseg.model.weights import model_card, model_options, model_summaries

    output = Output(as_json)
    if name is not None:
        card = model_card(name)
        output.record("model", {"name": name, "card": card})
        output.say(card)
        return
    for place, (one, summary) in enumerate(model_summaries().items()):
        facts = {"name": one, "summary": summary, "default": place == 0, "options": model_options(one)}
        output.record("model", facts)
        output.say(f"{one}  {summary}")
