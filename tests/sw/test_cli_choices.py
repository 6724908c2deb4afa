"""What the command line offers is what the library takes; it is spelled apart to import little."""

import inspect

from darb.golden import OutputMode, Storage
from darb.hw.simulators import SIMULATORS
from darb.sw.cli.demo import Data, Order, Saliency
from darb.sw.cli.demo import demo as demo_command
from darb.sw.cli.export import OutputChoice
from darb.sw.cli.generate import StorageChoice
from darb.sw.cli.simulate import Simulator
from darb.sw.demo_settings import MULTIPLIERS, DemoSettings
from darb.sw.pruning.config import ORDERS, SALIENCIES
from darb.sw.recipe import RECIPES


def test_choices():
    assert [choice.value for choice in OutputChoice] == [mode.value for mode in OutputMode]
    assert tuple(Simulator) == SIMULATORS
    assert [choice.value for choice in StorageChoice] == [storage.value for storage in Storage]
    assert tuple(Order) == ORDERS
    assert tuple(Saliency) == SALIENCIES
    assert set(Data) == set(MULTIPLIERS) == set(RECIPES)


def test_defaults_of_the_demo():
    settings = DemoSettings()
    options = inspect.signature(demo_command).parameters
    for name in set(options) - {"out"}:
        assert options[name].default == getattr(settings, name), name
