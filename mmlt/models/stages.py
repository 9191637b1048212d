"""The stages of a backbone."""

from __future__ import annotations

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
