"""Keep the logits of a data set for later. C classes, N samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmlt.checks import check_path, check_switch
from mmlt.registry import METRICS

from .samples import check_predictions, label_vector

# Scores sum to 1, within what half precision leaves of it.
SUM_TOLERANCE = 0.02


@METRICS.register_module()
class DumpLogits(BaseMetric):
    """Save the logits and labels of all samples, once for all ranks.

    The file is written with ``torch.save`` and holds

    - ``logits`` (N, C), float32: log-probabilities, that is logits less a
      constant for each sample. Where softmax has rounded a probability to 0,
      its log is that of the smallest normal float32, -87.3.
    - ``labels`` (N,), int64.
    - ``sample_idx`` (N,), int64: position in the data set.
    - ``split``, as given.
    - ``classes``, C names; None where nobody knows names.
    - ``applied``, what adjusts these logits: a list of dicts with the
      ``type`` of a loss or an edit. ``CheckRunHook``, which the tools of mmlt
      add, says it; else None.

    Of multi-label data, ``logits`` are log odds, the inverse of the sigmoid,
    from -87.3 to 16.6 where it has rounded to 0 or 1; ``labels`` are (N, C),
    int8: 1, 0 and -1 (not known).

    Args:
        out_file (str): File to write.
        split (str): What the samples are: ``'train'``, ``'val'``, ``'test'``.
        multi_label (bool): Whether an image has any number of labels.
        collect_device (str): ``'cpu'`` or ``'gpu'``, where ranks exchange
            results.
    """

    def __init__(
        self,
        out_file: str,
        split: str,
        multi_label: bool = False,
        collect_device: str = 'cpu',
    ) -> None:
        super().__init__(collect_device=collect_device)
        self.out_file = Path(check_path('out_file', out_file))
        self.split = split
        self.multi_label = check_switch('multi_label', multi_label)
        self.applied: list[dict] | None = None

    def set_applied(self, applied: Sequence[dict]) -> None:
        """Keep what adjusts the logits, which the samples do not say."""
        self.applied = list(applied)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep what one batch adds.

        Args:
            data_batch: Not used.
            data_samples (Sequence[dict]): With ``pred_score`` (C,), a
                probability for each class, ``sample_idx``, and ``gt_label``
                (1,). For ``multi_label``, the labels are as in
                :class:`ShotMultiLabelMAP`.

        Raises:
            ValueError: If the samples have other labels, or scores that are
                not finite, not from a softmax (``multi_label``: not
                probabilities), or no ``sample_idx``.
        """
        read = _read_multi_label if self.multi_label else _read_single_label
        for sample in data_samples:
            if 'sample_idx' not in sample:
                raise ValueError(
                    'sample_idx is missing; add it to meta_keys of PackInputs'
                )
        scores = [
            sample['pred_score'].float().cpu() for sample in data_samples
        ]
        check_predictions('pred_score', scores)
        for sample, score in zip(data_samples, scores, strict=True):
            logits, label = read(sample, score)
            self.results.append((logits, label, sample['sample_idx']))

    def compute_metrics(self, results: list) -> dict:
        """Write the file; there is nothing to report."""
        logits, labels, sample_idx = zip(*results, strict=True)
        return self.write(
            logits=torch.stack(logits),
            labels=torch.stack(labels),
            sample_idx=torch.tensor(sample_idx),
        )

    def write(self, **content: Any) -> dict:
        """Write this, and whose it is; there is nothing to report."""
        classes = (self.dataset_meta or {}).get('classes')
        content.update(
            split=self.split,
            classes=classes and [str(name) for name in classes],
            applied=self.applied,
        )
        self.out_file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, self.out_file)
        return {}


def _read_single_label(sample: dict, score: Tensor) -> tuple[Tensor, Tensor]:
    """(C,) logits and 0-dim label."""
    label = sample['gt_label'].long().cpu()
    if label.numel() != 1 or abs(score.sum() - 1) > SUM_TOLERANCE:
        raise ValueError(
            'gt_label must be one class and pred_score must sum to 1, '
            f'got {label.tolist()} and a sum of {score.sum():.4g}; for '
            'multi-label data, give DumpLogits multi_label=True'
        )
    tiny = torch.finfo(score.dtype).tiny
    return score.clamp_min(tiny).log(), label.squeeze()


def _read_multi_label(sample: dict, score: Tensor) -> tuple[Tensor, Tensor]:
    """(C,) logits and (C,) labels."""
    if not ((score >= 0) & (score <= 1)).all():
        raise ValueError(
            'pred_score must hold probabilities, got values from '
            f'{score.min():.4g} to {score.max():.4g}'
        )
    limits = torch.finfo(score.dtype)
    score = score.clamp(limits.tiny, 1 - limits.eps / 2)
    return score.log() - (-score).log1p(), label_vector(sample, score)
