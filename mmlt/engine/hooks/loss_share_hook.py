"""Which part of the losses small, medium and large objects have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.dist import all_reduce, is_main_process
from mmengine.hooks import Hook, LoggerHook
from mmengine.runner import Runner
from torch import Tensor

from mmlt.class_stats.sizes import COCO_BOUNDS, check_bounds, size_names
from mmlt.models.size_shares import LOSSES, SizeShares, check_losses
from mmlt.models.unwrap import unwrap
from mmlt.registry import HOOKS


@HOOKS.register_module()
class LossShareHook(Hook):
    r"""Log which part of the losses of a detector objects of each size have.

    In each iteration, the box regression losses of all positives, and their
    classification losses, are summed by the area of their objects
    (`Stitcher <https://arxiv.org/abs/2004.12432>`_, section 3.1). The sums
    stay on the device until the logger writes, when they are summed over the
    ranks and

    - the mean share of each size since the last time goes to what logs, as
      ``box_share_small``, ..., ``cls_share_large``, and so to TensorBoard;
    - the sums of each iteration go to ``loss_shares.jsonl`` beside the log,
      for ``tools/analysis_tools/loss_share.py``.

    Args:
        bounds (Sequence[float]): Rising areas in square pixels at the scale
            of the network's input, each the first of the next size. Defaults
            to those of COCO: small < 32^2, medium < 96^2, large.
        losses (Sequence[str]): ``'box'``, ``'cls'`` or both.

    Raises:
        TypeError: Before training, if the losses of the model cannot be read,
            see :class:`mmlt.models.size_shares.SizeShares`.
        ValueError: If bounds or losses are none.

    Example:
        >>> custom_hooks = [dict(type='mmlt.LossShareHook')]
    """

    def __init__(
        self,
        bounds: Sequence[float] = COCO_BOUNDS,
        losses: Sequence[str] = LOSSES,
    ) -> None:
        self.bounds = check_bounds(bounds)
        self.losses = check_losses(losses)
        # Those of each iteration since the last log, (L, S), and its number.
        self._sums: list[Tensor] = []
        self._numbers: list[dict] = []

    def before_train(self, runner: Runner) -> None:
        """Begin to measure."""
        model = unwrap(runner.model)
        self._shares = SizeShares(model, self.bounds, self.losses)
        self._file = Path(runner.log_dir) / 'loss_shares.jsonl'
        if is_main_process():
            self._file.write_text(json.dumps(dict(bounds=self.bounds)) + '\n')
        loggers = (x for x in runner.hooks if isinstance(x, LoggerHook))
        self._interval = next((x.interval for x in loggers), 50)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Take the sums; write those since the last log, if it is time."""
        sums = self._shares.take()
        self._sums.append(torch.stack([sums[name] for name in self.losses]))
        # It has not been counted yet.
        number = dict(iter=runner.iter + 1, epoch=runner.epoch + 1)
        self._numbers.append(number)
        is_last = self.end_of_epoch(runner.train_dataloader, batch_idx)
        if is_last or self.every_n_inner_iters(batch_idx, self._interval):
            self._write(runner)

    def after_train(self, runner: Runner) -> None:
        """Write the rest."""
        if self._sums:
            self._write(runner)

    def _write(self, runner: Runner) -> None:
        # (T, L, S)
        sums = torch.stack(self._sums)
        all_reduce(sums)
        sums = sums.cpu()
        shares = (sums / sums.sum(dim=-1, keepdim=True)).nanmean(dim=0)
        sizes = size_names(len(self.bounds) + 1)
        for loss, row in zip(self.losses, shares.tolist(), strict=True):
            for size, share in zip(sizes, row, strict=True):
                # NaN without a positive since the last time.
                runner.message_hub.update_scalar(
                    f'train/{loss}_share_{size}', share
                )
        if is_main_process():
            with open(self._file, 'a', encoding='utf-8') as file:
                for number, row in zip(
                    self._numbers, sums.tolist(), strict=True
                ):
                    values = dict(zip(self.losses, row, strict=True))
                    file.write(json.dumps({**number, **values}) + '\n')
        self._sums.clear()
        self._numbers.clear()
