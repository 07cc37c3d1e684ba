"""Scenarios with ground truth, by name; and how they are asked for: ``NAME[:key=value,…]``."""

from sim.scenarios import citizens, crowds_and_bridges, hazards, health_and_air, supply, water
from sim.scenarios.scenario import Scenario

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for family in (water, hazards, crowds_and_bridges, supply, health_and_air, citizens)
    for scenario in family.SCENARIOS
}
"""All scenarios by name."""
