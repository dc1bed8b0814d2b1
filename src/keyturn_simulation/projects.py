"""A project for secrets in a world."""

from keyturn.projects.domain import Environment, Project
from keyturn.projects.store import add_project as add
from keyturn_simulation.world import World


def add_project(world: World, name: str) -> str:
    """Add a project with one environment, prod; return its id. The administrator of the world may everything in it."""
    now, new = world.clock.now(), world.ids.new()
    prod = Environment(world.ids.new(), new, "Production", "prod", 1, now, now)
    with world.database.write() as tx:
        add(tx, Project(new, world.actor.org_id, name, name.lower(), None, False, (prod,), now, now))
    return new
