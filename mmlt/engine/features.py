"""Features of a data set, as the last layer of a classifier sees them."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import torch
from mmengine.dist import is_main_process
from mmengine.utils import ProgressBar
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmlt.models.unwrap import unwrap


@torch.no_grad()
def extract_features(
    model: nn.Module, dataloader: DataLoader
) -> Iterator[tuple[Tensor, list]]:
    """Pooled features of this rank's part of the data, with a progress bar.

    Args:
        model (nn.Module): Classifier of MMPretrain, wrapped or not; put in
            evaluation mode.
        dataloader (DataLoader): As for testing.

    Yields:
        tuple[Tensor, list[DataSample]]: (B, D) features on the CPU, and the
        samples of a batch.

    Raises:
        ValueError: If the features are not pooled.
    """
    model = unwrap(model).eval()
    bar = None
    if is_main_process():
        bar = ProgressBar(len(dataloader), file=sys.stdout)
    for batch in dataloader:
        data = model.data_preprocessor(batch, False)
        features = model.extract_feat(data['inputs'], stage='pre_logits')
        if not isinstance(features, Tensor) or features.dim() != 2:
            shape = tuple(getattr(features, 'shape', ()))
            raise ValueError(
                f'the head of the model gets features of the shape {shape}, '
                'expected (B, D); give it a neck that pools, such as '
                "dict(type='GlobalAveragePooling')"
            )
        yield features.cpu(), data['data_samples']
        if bar is not None:
            bar.update()
