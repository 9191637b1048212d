"""The numbers of a run. C classes, G groups."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mmlt.analysis.classifier_norms import (
    class_norms,
    find_weights,
    log_correlation,
)
from mmlt.analysis.report.predictions import describe_logits
from mmlt.analysis.report.runs import Run
from mmlt.analysis.report.traits import BOXES, MULTI
from mmlt.analysis.tau_sweep import (
    check_unadjusted,
    load_held_out,
    sweep_tau,
)
from mmlt.class_stats import ClassStats
from mmlt.class_stats.names import check_same_classes
from mmlt.class_stats.storage import find_class_names, load_tensors
from mmlt.models.posthoc import LogitAdjustment

TAUS = np.linspace(0, 2, 41)
# Each takes NMS and the matching of all boxes.
BOX_TAUS = np.linspace(0, 2, 9)


def describe_run(
    run: Run,
    task: str,
    stats: ClassStats,
    thresholds: Sequence[int],
    names: Sequence[str],
    config: str,
    ann_file: str | None = None,
    train_ann_file: str | None = None,
) -> dict:
    """All that a run says, and what it does not say.

    Args:
        run (Run): From :func:`find_run`.
        task (str): ``'single-label'``, ``'multi-label'`` or ``'detection'``.
        stats (ClassStats): Of the training set, C classes.
        thresholds (Sequence[int]): Counts, each the first of the next group.
        names (Sequence[str]): G names, rarest first.
        config (str): Config of the data, for commands that are missing.
        ann_file (str | None): What detections are compared with.
        train_ann_file (str | None): The same of training images, some of
            which may have been held out.

    Returns:
        dict: ``name``, ``missing``; where known, that of
        :func:`mmlt.analysis.report.predictions.describe_logits`, ``norms``
        and ``tau``.

    Raises:
        ValueError: If it is of other classes than the training set.
    """
    group = stats.groups(thresholds)
    facts: dict = {'name': run.name}
    if run.checkpoint is None:
        run.missing.append(
            f'norms of the classifier: {str(run.path)!r} has no checkpoint'
        )
    else:
        _describe_checkpoint(run, stats, facts)
    if task == BOXES:
        _describe_detections(run, stats, group, names, ann_file, facts)
    else:
        _describe_logits(run, task, stats, group, names, config, facts)
    if task != MULTI:
        _describe_held_out(
            run, task, stats, thresholds, names, train_ann_file, facts
        )
    facts['missing'] = run.missing
    return facts


def _describe_checkpoint(run: Run, stats: ClassStats, facts: dict) -> None:
    checkpoint = load_tensors(run.checkpoint)
    _check_classes(run.checkpoint, find_class_names(checkpoint), stats)
    trained = ClassStats.from_checkpoint(checkpoint)
    difference = trained and stats.difference(trained)
    if difference:
        run.missing.append(
            'the counts of its training: groups and frequencies are those '
            f'of the config, which differ ({difference})'
        )
    try:
        layers = find_weights(checkpoint)
        norms = {
            name: class_norms(weight, stats.num_classes)
            for name, weight in layers.items()
        }
    except ValueError as error:
        run.missing.append(f'norms of the classifier: {error}')
        return
    facts['norms'] = {
        name: {
            'norm': values.tolist(),
            'correlation': log_correlation(stats.image_count, values),
        }
        for name, values in norms.items()
    }


def _describe_logits(
    run: Run,
    task: str,
    stats: ClassStats,
    group: np.ndarray,
    names: Sequence[str],
    config: str,
    facts: dict,
) -> None:
    if run.logits is None:
        flag = ' --multi-label' if task == MULTI else ''
        folder = run.path if run.path.is_dir() else run.path.parent
        run.missing.append(
            'scores, confusion and calibration: no logits of test images; '
            f'python tools/test.py {config} {run.checkpoint or "CHECKPOINT"}'
            f'{flag} --dump-logits {folder}/test_logits.pt writes them'
        )
        return
    dump = load_tensors(run.logits, 'logits')
    _check_classes(run.logits, dump.get('classes'), stats)
    dimensions = 2 if task == MULTI else 1
    if dump['labels'].dim() != dimensions:
        raise ValueError(
            f'runs: {str(run.logits)!r} holds logits of '
            f'{"single" if dimensions == 2 else "multi"}-label data, but the '
            f'training set is {task}'
        )
    if dump['logits'].size(1) != stats.num_classes:
        raise ValueError(
            f'runs: {str(run.logits)!r} holds logits of '
            f'{dump["logits"].size(1)} classes, but the training set has '
            f'{stats.num_classes}'
        )
    facts.update(describe_logits(dump, stats, group, names))


def _describe_held_out(
    run: Run,
    task: str,
    stats: ClassStats,
    thresholds: Sequence[int],
    names: Sequence[str],
    train_ann_file: str | None,
    facts: dict,
) -> None:
    what = 'the curve of tau'
    if run.held_out is None:
        run.missing.append(
            f'{what}: no logits of held-out training images; docs/posthoc.md '
            'says how to write them'
        )
        return
    try:
        dump = load_held_out(run.held_out)
        if run.checkpoint is not None:
            check_unadjusted(run.checkpoint)
    except ValueError as error:
        run.missing.append(f'{what}: {error}')
        return
    _check_classes(run.held_out, dump.get('classes'), stats)
    if ('images' in dump) != (task == BOXES):
        raise ValueError(
            f'runs: {str(run.held_out)!r} holds logits of '
            f'{"boxes" if "images" in dump else "images"}, but the training '
            f'set is {task}'
        )
    if task == BOXES:
        _sweep_boxes(run, dump, stats, train_ann_file, facts)
        return
    facts['tau'] = sweep_tau(
        dump['logits'],
        dump['labels'],
        stats,
        TAUS,
        'one',
        thresholds,
        names,
    )


def _sweep_boxes(
    run: Run, dump: dict, stats: ClassStats, ann_file: str | None, facts: dict
) -> None:
    what = 'the curve of tau'
    if ann_file is None:
        run.missing.append(f'{what}: the training set has no ann_file')
        return
    # Not before: only this needs compiled operators.
    from mmlt.analysis.box_sweep import held_out_annotations, sweep_boxes

    edits = {
        tau: LogitAdjustment(tau, by='instance', zero_count='one')
        for tau in BOX_TAUS.tolist()
    }
    img_ids = [image['img_id'] for image in dump['images']]
    with TemporaryDirectory() as folder:
        part = str(Path(folder, 'held_out.json'))
        try:
            held_out_annotations(ann_file, img_ids, part)
            facts['tau'] = sweep_boxes(dump, part, edits, stats, 'tau')
        except ValueError as error:
            reason = str(error).replace(part, ann_file)
            run.missing.append(f'{what}: {reason}')


def _describe_detections(
    run: Run,
    stats: ClassStats,
    group: np.ndarray,
    names: Sequence[str],
    ann_file: str | None,
    facts: dict,
) -> None:
    if run.detections is None or ann_file is None:
        lacking = 'no annotations: the config has no ann_file to test with'
        if run.detections is None:
            lacking = (
                'no detections; test with --cfg-options '
                f'test_evaluator.outfile_prefix={run.path}/test'
            )
        run.missing.append(f'scores and confusion: {lacking}')
        return
    # Not before: only this needs what evaluates detections.
    from mmlt.analysis.report.detections import describe_detections

    facts.update(
        describe_detections(run.detections, ann_file, stats, group, names)
    )


def _check_classes(
    path: Path, classes: Sequence[str] | None, stats: ClassStats
) -> None:
    check_same_classes(
        stats.classes,
        None if classes is None else tuple(classes),
        'the training set of the config',
        f'the run {str(path)!r}',
    )
