"""Which methods fit a training set, and the lines of a config that take one.

The rows are data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mmlt.analysis.report.traits import BOXES, MULTI, SINGLE, TASKS, Traits


@dataclass(frozen=True)
class Method:
    """A row of the table.

    Args:
        name (str): What it is called.
        task (str): One of ``TASKS``.
        when (str): The situation that it is for.
        page (str): Its page in the documentation, from the repository root.
        lines (tuple[str, ...]): Of a config; ``{threshold:g}`` and
            ``{zero_count}`` stand for what follows from the traits.
        fits (Callable[[Traits], bool]): Whether the data ask for it.
    """

    name: str
    task: str
    when: str
    page: str
    lines: tuple[str, ...]
    fits: Callable[[Traits], bool] = lambda traits: True


COUNT = "custom_hooks = [dict(type='mmlt.ClassStatsHook')]"
SHOTS = (
    "val_evaluator = dict(_delete_=True, type='mmlt.ShotAccuracy')",
    'test_evaluator = val_evaluator',
)
LABEL_SHOTS = (
    "val_evaluator = dict(_delete_=True, type='mmlt.ShotMultiLabelMAP')",
    'test_evaluator = val_evaluator',
)


def _edit(edit: str) -> tuple[str, ...]:
    """Lines of what needs no training."""
    return (
        'custom_hooks = [',
        "    dict(type='mmlt.ClassStatsHook'),",
        "    dict(type='mmlt.ClassifierEditHook', edits=[",
        f"        dict(type='mmlt.{edit}{{zero_count}})]),",
        ']',
    )


def _loss(loss: str) -> tuple[str, ...]:
    return (
        'model = dict(head=dict(loss=dict(',
        f"    _delete_=True, type='mmlt.{loss})))",
    )


def _box_loss(loss: str) -> tuple[str, ...]:
    return (
        'model = dict(roi_head=dict(bbox_head=dict(',
        f"    loss_cls=dict(_delete_=True, type='mmlt.{loss}'))))",
        COUNT,
    )


def _sampler(sampler: str) -> tuple[str, ...]:
    return (
        'train_dataloader = dict(sampler=dict(',
        f"    _delete_=True, type='mmlt.{sampler}))",
    )


METHODS = (
    Method(
        'Logit-adjusted loss',
        SINGLE,
        'You train anyway: one line, no schedule to choose.',
        'configs/logit_adjustment/README.md',
        (
            *_loss("LogitAdjustedLoss'{zero_count}"),
            COUNT,
            *SHOTS,
        ),
    ),
    Method(
        'Post-hoc logit adjustment',
        SINGLE,
        'A model is trained already, with plain cross entropy.',
        'docs/posthoc.md',
        _edit("LogitAdjustment'"),
    ),
    Method(
        'LDAM with deferred re-weighting',
        SINGLE,
        'You train for long (200 epochs of CIFAR): set begin to the first '
        'fall of the learning rate.',
        'configs/ldam/README.md',
        (
            "model = dict(head=dict(type='mmlt.CosineClsHead', loss=dict(",
            "    _delete_=True, type='mmlt.LDAMLoss',",
            "    class_weight='effective_number', average='weights')))",
            "custom_hooks = [dict(type='mmlt.ClassStatsHook'),",
            "    dict(type='mmlt.DeferredReweightHook', begin=160)]",
        ),
        lambda traits: traits.long_tail,
    ),
    Method(
        'Classifier re-training',
        SINGLE,
        'Second stage on your trained model: its features are good, its '
        'classifier prefers frequent classes.',
        'configs/decoupling/README.md',
        (
            "load_from = 'work_dirs/first_stage/epoch_90.pth'",
            *_sampler("ClassFrequencySampler', power=0"),
            COUNT[:-1] + ', dict(type=',
            "    'mmlt.TrainablePartsHook', trainable=['head.fc'], "
            'fresh=True)]',
        ),
        lambda traits: traits.rare_classes,
    ),
    Method(
        'Distribution-balanced loss',
        MULTI,
        'Rare classes come with frequent ones, which class-aware sampling '
        'repeats, too.',
        'configs/db_loss/README.md',
        (
            *_loss("DistributionBalancedLoss'"),
            *_sampler("ClassAwareSampler', reduce=4"),
            COUNT,
            LABEL_SHOTS[0],
        ),
        lambda traits: traits.long_tail and traits.several_labels,
    ),
    Method(
        'Class-aware sampling',
        MULTI,
        'Hardly any image has two classes: sampling reaches what it is '
        'meant to.',
        'docs/samplers.md',
        (
            *_sampler("ClassAwareSampler', reduce=4"),
            COUNT,
            *LABEL_SHOTS,
        ),
        lambda traits: traits.long_tail and not traits.several_labels,
    ),
    Method(
        'Multi-label logit-adjusted loss',
        MULTI,
        'You keep your sampler: one line, no schedule to choose.',
        'configs/db_loss/README.md',
        (
            *_loss("MultiLabelLogitAdjustedLoss'"),
            COUNT,
            *LABEL_SHOTS,
        ),
    ),
    Method(
        'Repeat factor sampling',
        BOXES,
        'You train from the start; it goes with every loss.',
        'docs/samplers.md',
        (
            *_sampler("RepeatFactorSampler', threshold={threshold:g}"),
            COUNT,
        ),
    ),
    Method(
        'Instance-aware repeat factor sampling',
        BOXES,
        'The same, where images hold many instances of a class.',
        'docs/samplers.md',
        (
            'train_dataloader = dict(sampler=dict(',
            "    _delete_=True, type='mmlt.RepeatFactorSampler',",
            "    threshold={threshold:g}, by='both'))",
            COUNT,
        ),
        lambda traits: traits.instances,
    ),
    Method(
        'Seesaw loss',
        BOXES,
        'You train from the start, a detector of two stages.',
        'docs/how_to/detection.md',
        _box_loss('SeesawLoss'),
        lambda traits: traits.long_tail,
    ),
    Method(
        'Balanced group softmax',
        BOXES,
        'Second stage on your trained detector: a few epochs of its '
        'classifier.',
        'configs/bags/README.md',
        (
            "load_from = 'work_dirs/first_stage/epoch_12.pth'",
            'model = dict(roi_head=dict(bbox_head=dict(',
            "    type='mmlt.BAGSBBoxHead',",
            "    loss_cls=dict(_delete_=True, type='mmlt.BAGSLoss'))))",
            COUNT[:-1] + ', dict(type=',
            "    'mmlt.TrainablePartsHook', trainable=["
            "'roi_head.bbox_head.fc_cls'])]",
        ),
        lambda traits: traits.rare_classes,
    ),
    Method(
        'Post-hoc logit adjustment',
        BOXES,
        'A detector is trained already, with a softmax over classes and '
        'background.',
        'docs/posthoc.md',
        _edit("LogitAdjustment', by='instance'"),
    ),
)


def fitting_methods(task: str, traits: Traits) -> list[dict]:
    """The rows of a task that fit, in the order to try them.

    Args:
        task (str): One of ``TASKS``.
        traits (Traits): Of the training set.

    Returns:
        list[dict]: ``name``, ``when``, ``page`` and ``lines``.

    Raises:
        ValueError: If there is no such task.
    """
    if task not in TASKS:
        raise ValueError(f'task must be one of {TASKS}, got {task!r}')
    return [
        dict(
            name=method.name,
            when=method.when,
            page=method.page,
            lines=_written(method.lines, traits),
        )
        for method in METHODS
        if method.task == task and method.fits(traits)
    ]


def _written(lines: Sequence[str], traits: Traits) -> list[str]:
    zero_count = ", zero_count='one'" if traits.empty else ''
    return [
        line.replace('{threshold:g}', f'{traits.threshold:g}').replace(
            '{zero_count}', zero_count
        )
        for line in lines
    ]
