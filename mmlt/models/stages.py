"""The stages of a backbone."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

# Where MMPretrain's backbones keep their stages, or the names of these.
LISTS = ('res_layers', 'stages', 'layers', 'network', 'blocks', 'encoder')


def find_stages(backbone: nn.Module) -> list[nn.Module]:
    """The modules that a backbone calls one after the other, if it lists them.

    Args:
        backbone (nn.Module): Of MMPretrain, or with a list of one of the
            names that are usual there.

    Returns:
        list[nn.Module]: What is called last in each stage; empty if there is
        no list. Transformers list their blocks.
    """
    for name in LISTS:
        stages = getattr(backbone, name, None)
        if isinstance(stages, list) and all(
            isinstance(stage, str) for stage in stages
        ):
            stages = [getattr(backbone, stage) for stage in stages]
        elif not isinstance(stages, nn.ModuleList | nn.Sequential):
            continue
        # A list is not called itself.
        return [
            stage[-1] if isinstance(stage, nn.ModuleList) else stage
            for stage in stages
        ]
    return []


def find_places(
    backbone: nn.Module, places: Sequence[str | int]
) -> dict[str | int, nn.Module]:
    """The module behind each place; that of the input is the backbone.

    Args:
        backbone (nn.Module): As above.
        places (Sequence[str | int]): ``'input'``, numbers of stages from 1
            on, and names of modules of the backbone.

    Raises:
        ValueError: If the backbone lacks one; lists what it has.
    """
    stages = dict(enumerate(find_stages(backbone), start=1))
    known = {**dict(backbone.named_modules()), 'input': backbone, **stages}
    known.pop('')
    if (
        not isinstance(places, list | tuple)
        or not places
        or any(type(p) not in (str, int) or p not in known for p in places)
        or len(set(places)) < len(places)
    ):
        names = [name for name, _ in backbone.named_children()]
        raise ValueError(
            "places must be a list of different ones of 'input', the stages "
            f'{list(stages)} of {type(backbone).__name__}, and the names of '
            f'its modules ({names}, ...), but got {places!r}'
        )
    return {place: known[place] for place in places}


def cut_before(backbone: nn.Module, begin: str) -> None:
    """Make identities of the modules in front of a module.

    The backbone, whose modules are called in the order in which they are
    registered, then takes what goes into ``begin``. The names of what is left
    stay, so that checkpoints of the whole network fit.

    Args:
        backbone (nn.Module): Changed in place.
        begin (str): Name of the first module that stays, at any depth.

    Raises:
        ValueError: If there is none of this name.
    """
    if (
        not isinstance(begin, str)
        or not begin
        or begin not in dict(backbone.named_modules())
    ):
        names = [name for name, _ in backbone.named_children()]
        raise ValueError(
            f'begin must be the name of a module of {type(backbone).__name__} '
            f'({names}, ...), but got {begin!r}'
        )
    module = backbone
    for part in begin.split('.'):
        for name, _ in list(module.named_children()):
            if name == part:
                break
            setattr(module, name, nn.Identity())
        module = getattr(module, part)
