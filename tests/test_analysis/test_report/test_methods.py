"""The lines that the report prints are configs that build and train."""

from dataclasses import replace

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmlt.analysis.report.methods import (
    BOXES,
    METHODS,
    MULTI,
    SINGLE,
    TASKS,
    Traits,
    fitting_methods,
)
from mmlt.engine.launch import load_config
from mmlt.registry import DATA_SAMPLERS, HOOKS, METRICS, MODELS

BASES = {
    SINGLE: 'ce_resnet14-small_4e_fashion-mnist-lt-if100.py',
    MULTI: 'erm_lite0-pfc_8e_fashion-scenes.py',
    BOXES: 'faster-rcnn_r18-small_fpn_12e_fashion-scenes.py',
}
LONG_TAIL = Traits(
    imbalance=100,
    rare=3,
    empty=1,
    cardinality=2.5,
    threshold=0.001,
    instances=True,
)


def named(task, **changes):
    traits = replace(LONG_TAIL, **changes)
    return [method['name'] for method in fitting_methods(task, traits)]


def test_what_fits_follows_from_the_data():
    assert named(SINGLE)[0] == 'Logit-adjusted loss'
    assert 'Classifier re-training' in named(SINGLE)
    assert 'Classifier re-training' not in named(SINGLE, rare=0)
    assert named(SINGLE, imbalance=9) == [
        'Logit-adjusted loss',
        'Post-hoc logit adjustment',
    ]
    assert 'Distribution-balanced loss' in named(MULTI)
    assert 'Class-aware sampling' in named(MULTI, cardinality=1.1)
    assert 'Distribution-balanced loss' not in named(MULTI, cardinality=1.1)
    assert named(BOXES, instances=False, imbalance=2) == [
        'Repeat factor sampling',
        'Post-hoc logit adjustment',
    ]
    with pytest.raises(ValueError, match='task must be one of'):
        named('boxes')


def test_every_method_fits_some_data():
    names = {
        (task, name)
        for task in TASKS
        for cardinality in (1, 3)
        for name in named(task, cardinality=cardinality)
    }
    assert names == {(method.task, method.name) for method in METHODS}


@pytest.mark.parametrize(
    ('task', 'name'),
    [(method.task, method.name) for method in METHODS],
)
def test_lines_are_a_config(task, name, tmp_path):
    few_labels = replace(LONG_TAIL, cardinality=1)
    lines = next(
        method['lines']
        for traits in (LONG_TAIL, few_labels)
        for method in fitting_methods(task, traits)
        if method['name'] == name
    )
    assert len(lines) <= 6
    assert max(map(len, lines)) <= 79
    base = tmp_path / 'base.py'
    load_config(BASES[task]).dump(base)
    path = tmp_path / 'config.py'
    path.write_text('\n'.join(["_base_ = ['base.py']", *lines]))
    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)
    MODELS.build(cfg.model)
    for hook in cfg.get('custom_hooks', []):
        HOOKS.build(hook)
    # That of detection wants annotations.
    if task != BOXES:
        METRICS.build(cfg.val_evaluator)
    assert DATA_SAMPLERS.get(cfg.train_dataloader.sampler.type) is not None
