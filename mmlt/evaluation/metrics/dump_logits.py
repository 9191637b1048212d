"""Keep the logits of a data set for later. C classes, N samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import BaseMetric

from mmlt.registry import METRICS

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

    Args:
        out_file (str): File to write.
        split (str): What the samples are: ``'train'``, ``'val'``, ``'test'``.
        collect_device (str): ``'cpu'`` or ``'gpu'``, where ranks exchange
            results.
    """

    def __init__(
        self, out_file: str, split: str, collect_device: str = 'cpu'
    ) -> None:
        super().__init__(collect_device=collect_device)
        self.out_file = Path(out_file)
        self.split = split

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep what one batch adds.

        Args:
            data_batch: Not used.
            data_samples (Sequence[dict]): With ``gt_label`` (1,),
                ``pred_score`` (C,), a probability for each class, and
                ``sample_idx``.

        Raises:
            ValueError: If they have more than one label each, or scores that
                are not from a softmax, or no ``sample_idx``.
        """
        for sample in data_samples:
            label, score = sample['gt_label'], sample['pred_score'].float()
            if label.numel() != 1 or abs(score.sum() - 1) > SUM_TOLERANCE:
                raise ValueError(
                    'gt_label must be one class and pred_score must sum to 1, '
                    f'got {label.tolist()} and a sum of {score.sum():.4g}; '
                    'DumpLogits is for single-label classification'
                )
            if 'sample_idx' not in sample:
                raise ValueError(
                    'sample_idx is missing; add it to meta_keys of PackInputs'
                )
            tiny = torch.finfo(score.dtype).tiny
            logits = score.clamp_min(tiny).log().cpu()
            self.results.append((logits, int(label), sample['sample_idx']))

    def compute_metrics(self, results: list) -> dict:
        """Write the file; there is nothing to report."""
        logits, labels, sample_idx = zip(*results, strict=True)
        self.out_file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(
            dict(
                logits=torch.stack(logits),
                labels=torch.tensor(labels),
                sample_idx=torch.tensor(sample_idx),
                split=self.split,
            ),
            self.out_file,
        )
        return {}
