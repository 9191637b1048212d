"""Class means of the training set as the centroids of a memory."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

from mmlt.checks import check_switch
from mmlt.engine.features import as_in_testing, extract_features
from mmlt.engine.first_stage import (
    check_first_stage,
    random_parameters,
    shorten,
)
from mmlt.models.heads import MultiLabelOLTRHead, OLTRHead
from mmlt.models.unwrap import unwrap
from mmlt.registry import HOOKS


@HOOKS.register_module()
class ClassCentroidsHook(Hook):
    """Start the centroids of an ``OLTRHead`` from class means.

    Before training, the model of the first stage in ``load_from`` sees each
    training image once, with the pipeline and the batch size of the test set;
    the ranks share the images. A resumed run keeps the centroids of its
    checkpoint.

    Args:
        train_pipeline (bool): Take the pipeline of the training set instead,
            with its augmentation. Features from a file
            (``mmlt.LoadImageFeature``) need it: each split has its own file.
            Defaults to False.

    Raises:
        FileNotFoundError: Before training, if ``load_from`` does not exist.
        TypeError: If ``train_pipeline`` is no switch, or before training, if
            the model has another head.
        ValueError: If the model has random weights, or the config no test
            set.

    Example:
        >>> custom_hooks = [dict(type='mmlt.ClassCentroidsHook')]
    """

    def __init__(self, train_pipeline: bool = False) -> None:
        self.train_pipeline = check_switch('train_pipeline', train_pipeline)

    def before_run(self, runner: Runner) -> None:
        """See that there is a first stage, before it is loaded."""
        if isinstance(runner.optim_wrapper, OptimWrapper):
            check_first_stage(runner._load_from)

    def before_train(self, runner: Runner) -> None:
        """Compute them."""
        model = unwrap(runner.model)
        head = getattr(model, 'head', None)
        if not isinstance(head, (OLTRHead, MultiLabelOLTRHead)):
            raise TypeError(
                'ClassCentroidsHook sets the centroids of a head, but '
                f'{type(head).__name__} has none: use head=dict(type='
                "'mmlt.OLTRHead') or 'mmlt.MultiLabelOLTRHead'"
            )
        if runner._resume and head.memory.has_centroids:
            return
        first_stage = (
            name
            for name, _ in model.named_parameters()
            if name.startswith(('backbone.', 'head.memory.hallucinator.'))
        )
        lost = random_parameters(runner, first_stage)
        if lost:
            raise ValueError(
                'the centroids would be those of random values: '
                f'{shorten(lost)}; give the model of the first stage by '
                'load_from, as in --cfg-options load_from=PATH'
            )
        loader = as_in_testing(runner.cfg, 'train')
        if self.train_pipeline:
            loader['dataset'] = runner.cfg.train_dataloader.dataset
        # No image twice, however many ranks there are.
        loader['sampler']['round_up'] = False
        dataloader = runner.build_dataloader(loader, seed=runner.seed)
        head.set_centroids(extract_features(model, dataloader))
