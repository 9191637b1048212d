"""Features of a data set, as the last layer of a classifier sees them."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.registry import MODELS
from mmengine.utils import ProgressBar
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmlt.class_stats.storage import load_tensors
from mmlt.models.unwrap import unwrap

from .first_stage import shorten


def as_in_testing(cfg: Config, part: str) -> dict:
    """The data loader of a part, each image once, as it is tested.

    Args:
        cfg (Config): Of a classifier.
        part (str): ``'train'``, ``'val'`` or ``'test'``.

    Raises:
        ValueError: If the config lacks the loader of the part, or of tests.
    """
    loaders = {}
    for name in (part, 'test'):
        loaders[name] = cfg.get(f'{name}_dataloader')
        if loaders[name] is None:
            raise ValueError(
                f'config: {cfg.filename!r} has no {name}_dataloader, whose '
                'images or pipeline are needed'
            )
    (tested, *_) = _inner_datasets(loaders['test'].dataset)
    dataset = copy.deepcopy(loaders[part].dataset)
    for inner in _inner_datasets(dataset):
        inner.pipeline = tested.pipeline
    return dict(
        loaders['test'],
        dataset=dataset,
        sampler=dict(type='DefaultSampler', shuffle=False),
    )


def load_classifier(cfg: Config, checkpoint: str) -> nn.Module:
    """The classifier of a config with the weights of a file.

    Args:
        cfg (Config): With a model of MMPretrain.
        checkpoint (str): Whose head may be another.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it does not fill the model in front of the head.
    """
    content = load_tensors(checkpoint)
    preprocessor = cfg.get('data_preprocessor')
    model = MODELS.build({'data_preprocessor': preprocessor, **cfg.model})
    state = {
        name.removeprefix('module.'): value
        for name, value in content.get('state_dict', content).items()
    }
    lost = [
        f'{name} {tuple(known.shape)}'
        for name, known in model.state_dict().items()
        if not name.startswith('head.')
        and getattr(state.get(name), 'shape', None) != known.shape
    ]
    if lost:
        raise ValueError(
            f'checkpoint: {checkpoint!r} does not hold {shorten(lost)} of '
            'the model; give the config that it was trained with'
        )
    model.load_state_dict(
        {n: v for n, v in state.items() if not n.startswith('head.')},
        strict=False,
    )
    return model


def _inner_datasets(dataset: dict) -> Iterator[dict]:
    """What the wrappers of a data set hold."""
    if 'dataset' in dataset:
        yield from _inner_datasets(dataset['dataset'])
    elif 'datasets' in dataset:
        for each in dataset['datasets']:
            yield from _inner_datasets(each)
    else:
        yield dataset


def with_progress(dataloader: DataLoader) -> Iterator:
    """The batches, with a progress bar on the main process."""
    bar = None
    if is_main_process():
        bar = ProgressBar(len(dataloader), file=sys.stdout)
    for batch in dataloader:
        yield batch
        if bar is not None:
            bar.update()


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
    for batch in with_progress(dataloader):
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


@torch.no_grad()
def extract_box_features(
    model: nn.Module, dataloader: DataLoader
) -> Iterator[tuple[Tensor, list]]:
    """What a box head of class means compares, of the true boxes.

    Args:
        model (nn.Module): Two-stage detector of MMDetection, wrapped or not,
            whose box head has a ``describe``; put in evaluation mode.
        dataloader (DataLoader): As for testing, with annotations.

    Yields:
        tuple[Tensor, list[DetDataSample]]: (B, D) features of all boxes of a
        batch on the CPU, and its samples.
    """
    model = unwrap(model).eval()
    roi_head = model.roi_head
    extract, head = roi_head.bbox_roi_extractor, roi_head.bbox_head
    for batch in with_progress(dataloader):
        data = model.data_preprocessor(batch, False)
        maps = model.extract_feat(data['inputs'])
        boxes = [each.gt_instances.bboxes for each in data['data_samples']]
        rois = torch.cat(
            [F.pad(box, (1, 0), value=k) for k, box in enumerate(boxes)]
        )
        x = extract(maps[: extract.num_inputs], rois)
        yield head.describe(x, head.shared(x)).cpu(), data['data_samples']
