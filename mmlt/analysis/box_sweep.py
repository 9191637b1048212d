"""How strongly to calibrate a detector. C classes, P pairs, D detections."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from mmcv.ops import batched_nms
from torch import Tensor

from mmlt.class_stats import ClassStats
from mmlt.evaluation.metrics import LVISMetric
from mmlt.models.losses.base import with_background
from mmlt.models.posthoc import BiasEdit

# What is drawn and printed, if the annotations have it.
KEYS = ('AP', 'APr', 'APc', 'APf')


@dataclass(frozen=True)
class BoxSweep:
    """Average precisions of boxes in percent for each strength.

    Args:
        name (str): What was varied, such as ``'gamma'``.
        strengths (np.ndarray): (T,).
        scores (dict[str, np.ndarray]): (T,) by name, ``'AP'`` among them.
    """

    name: str
    strengths: np.ndarray
    scores: dict[str, np.ndarray]

    @property
    def best(self) -> int:
        """Index of the best AP, of equal ones the first."""
        return int(self.scores['AP'].argmax())

    def to_dict(self) -> dict:
        """Plain lists and numbers."""
        return {
            f'best_{self.name}': float(self.strengths[self.best]),
            self.name: self.strengths.tolist(),
            **{key: value.tolist() for key, value in self.scores.items()},
        }


def held_out_annotations(
    ann_file: str | Path, img_ids: Sequence[int], out: str | Path
) -> None:
    """Write the part of an annotation file that is about certain images.

    Args:
        ann_file (str | Path): In the format of COCO or LVIS.
        img_ids (Sequence[int]): Of the images.
        out (str | Path): The json file to write.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it lacks one of the images.
    """
    if not Path(ann_file).is_file():
        raise FileNotFoundError(f'ann_file: no file {str(ann_file)!r}')
    content = json.loads(Path(ann_file).read_text(encoding='utf-8'))
    wanted = set(img_ids)
    lacking = wanted - {image['id'] for image in content['images']}
    if lacking:
        raise ValueError(
            f'ann_file: {str(ann_file)!r} lacks {len(lacking)} of the images, '
            f'first id {min(lacking)}; give the annotations of the data set '
            'that was held out from'
        )
    for key, field in (('images', 'id'), ('annotations', 'image_id')):
        content[key] = [each for each in content[key] if each[field] in wanted]
    Path(out).write_text(json.dumps(content), encoding='utf-8')


def calibrated(
    image: Mapping, offset: Tensor, test_cfg: Mapping
) -> dict[str, Tensor]:
    """The detections of an image, after its logits were calibrated.

    Args:
        image (Mapping): As :class:`mmlt.evaluation.metrics.DumpBoxes` keeps
            it.
        offset (Tensor): (C,) taken off the logits of the classes.
        test_cfg (Mapping): ``score_thr``, ``nms``, ``max_per_img``.

    Returns:
        dict[str, Tensor]: ``bboxes`` (D, 4), ``scores`` and ``labels`` (D,).
    """
    logits = image['logits'].float()
    offset = with_background(offset.float(), logits.size(1), 0.0)
    labels = image['labels'].long()
    scores = (logits - offset).softmax(dim=1)[image['rows'].long(), labels]
    kept = scores > test_cfg['score_thr']
    labels = labels[kept]
    found, order = batched_nms(
        image['boxes'][kept], scores[kept], labels, test_cfg['nms']
    )
    limit = test_cfg['max_per_img']
    found, order = (each[:limit] for each in (found, order))
    return dict(bboxes=found[:, :4], scores=found[:, 4], labels=labels[order])


def sweep_boxes(
    dump: Mapping,
    ann_file: str | Path,
    edits: Mapping[float, BiasEdit],
    stats: ClassStats,
    name: str,
) -> BoxSweep:
    """Average precisions of a detector, calibrated in several ways.

    Args:
        dump (Mapping): What :class:`mmlt.evaluation.metrics.DumpBoxes` wrote
            of images that the detector was not trained on, nor will be tested
            on.
        ann_file (str | Path): Annotations of just these images, see
            :func:`held_out_annotations`.
        edits (Mapping[float, BiasEdit]): By strength.
        stats (ClassStats): Of the training set.
        name (str): What the strength is called.

    Raises:
        ValueError: If nothing was found or the classes do not fit.
    """
    metric = LVISMetric(str(ann_file))
    metric.dataset_meta = dict(classes=dump['classes'])
    rows = []
    for edit in edits.values():
        offset = torch.from_numpy(edit.offset(stats))
        for image in dump['images']:
            found = calibrated(image, offset, dump['test_cfg'])
            sample = {k: image[k] for k in ('img_id', 'ori_shape')}
            metric.process(None, [dict(sample, pred_instances=found)])
        rows.append(metric.evaluate(len(dump['images'])))
    scores = {
        key: np.array([row[f'lvis/bbox_{key}'] for row in rows])
        for key in KEYS
        if all(f'lvis/bbox_{key}' in row for row in rows)
    }
    return BoxSweep(name, np.array(list(edits)), scores)


def draw_box_sweep(sweep: BoxSweep, path: str | Path) -> None:
    """Draw the average precisions and mark the chosen strength.

    Args:
        sweep (BoxSweep): What :func:`sweep_boxes` returns.
        path (str | Path): The image file to write.
    """
    figure = Figure(figsize=(6.5, 4.2), layout='constrained')
    axes = figure.add_subplot()
    for key, values in sweep.scores.items():
        style = 'k-' if key == 'AP' else '--'
        axes.plot(sweep.strengths, values, style, label=key)
    best = sweep.strengths[sweep.best]
    axes.axvline(best, color='0.75', zorder=0)
    axes.set_title(
        f'AP {sweep.scores["AP"][sweep.best]:.1f} % at {sweep.name} = '
        f'{best:.4g}'
    )
    axes.set_xlabel(sweep.name)
    axes.set_ylabel('held-out box AP (%)')
    axes.grid(alpha=0.3)
    figure.legend(loc='outside right upper', frameon=False)
    figure.savefig(path, dpi=150)
