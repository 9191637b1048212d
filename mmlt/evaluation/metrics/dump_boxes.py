"""Keep the scores of all boxes for later. R boxes, C classes, P pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.config import ConfigDict
from torch import Tensor

from mmlt.checks import check_share
from mmlt.registry import METRICS

from .dump_logits import DumpLogits
from .samples import check_predictions


@METRICS.register_module()
class DumpBoxes(DumpLogits):
    """Save what a two-stage detector says of each proposal, before NMS.

    The detector is tested with ``model.test_cfg.rcnn=None``, which
    ``tools/test.py --dump-logits`` sets. The file is written with
    ``torch.save`` and holds ``split``, ``classes`` and ``applied`` as that of
    :class:`DumpLogits`, ``test_cfg`` as given, and ``images``, for each

    - ``img_id``, ``ori_shape``;
    - ``logits`` (R, C + 1), float16: log-probabilities, the background last;
    - ``rows``, ``labels`` (P,), int32: the pairs of a proposal and a class
      whose score is ``min_score`` at least;
    - ``boxes`` (P, 4), float32: their (x1, y1, x2, y2) in the image.

    Args:
        out_file (str): File to write.
        split (str): What the images are: ``'train'``, ``'val'``, ``'test'``.
        test_cfg (dict): What comes after: ``score_thr``, ``nms`` and
            ``max_per_img``, as in ``test_cfg.rcnn`` of MMDetection.
        min_score (float): In [0, 1]. A pair that scores less is of no use,
            however it is calibrated later.
        collect_device (str): ``'cpu'`` or ``'gpu'``, where ranks exchange
            results.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If ``test_cfg`` lacks something or ``min_score`` is out of
            range.
    """

    def __init__(
        self,
        out_file: str,
        split: str,
        test_cfg: dict,
        min_score: float = 1e-6,
        collect_device: str = 'cpu',
    ) -> None:
        super().__init__(out_file, split, collect_device=collect_device)
        if not isinstance(test_cfg, dict):
            raise TypeError(f'test_cfg must be a dict, got {test_cfg!r}')
        missing = {'score_thr', 'nms', 'max_per_img'} - set(test_cfg)
        if missing:
            raise ValueError(
                f'test_cfg lacks {sorted(missing)}; give test_cfg.rcnn of the '
                'detector'
            )
        # Plain dicts, which load without the classes of configs.
        self.test_cfg = ConfigDict(test_cfg).to_dict()
        self.min_score = check_share('min_score', min_score)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep what one batch adds.

        Args:
            data_batch: Not used.
            data_samples (Sequence[dict]): With ``img_id``, ``ori_shape`` and
                ``pred_instances``: ``scores`` (R, C + 1) and ``bboxes``
                (R, 4) or (R, 4 * C).

        Raises:
            ValueError: If these are detections, or not finite.
        """
        for sample in data_samples:
            found = sample['pred_instances']
            scores, boxes = found['scores'], found['bboxes']
            if scores.dim() != 2 or len(boxes) != len(scores):
                raise ValueError(
                    f'scores have the shape {tuple(scores.shape)}, expected '
                    '(R, C + 1), before NMS; test a two-stage detector with '
                    'model.test_cfg.rcnn=None'
                )
            check_predictions('scores', [scores])
            self.results.append(
                dict(
                    img_id=sample['img_id'],
                    ori_shape=tuple(sample['ori_shape']),
                    **self._kept(scores.float().cpu(), boxes.float().cpu()),
                )
            )

    def compute_metrics(self, results: list) -> dict:
        """Write the file; there is nothing to report."""
        return self.write(images=results, test_cfg=self.test_cfg)

    def _kept(self, scores: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        tiny = torch.finfo(scores.dtype).tiny
        classes = scores[:, :-1]
        rows, labels = (classes >= self.min_score).nonzero(as_tuple=True)
        boxes = boxes.view(len(boxes), boxes.size(1) // 4, 4).expand(
            *classes.shape, 4
        )
        return dict(
            logits=scores.clamp_min(tiny).log().half(),
            rows=rows.int(),
            labels=labels.int(),
            boxes=boxes[rows, labels],
        )
