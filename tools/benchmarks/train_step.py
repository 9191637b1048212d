"""A training step with our losses, beside the same step with the stock loss.

    python tools/benchmarks/train_step.py [--model resnet32] [--device cuda]

Models, losses and optimizers are those of the configs; weights and a fixed
batch are random. A step is what MMEngine runs: preprocessing, forward, loss
with what is logged, backward, optimizer. Each loss takes turns with its stock
loss; the table shows median times, and the median and the interquartile range
of the ratios of neighbouring turns.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from cases import long_tailed
from mmengine.config import Config, ConfigDict
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from timing import Timing, compare
from torch import nn

from mmlt.class_stats.receiver import ClassStatsReceiver
from mmlt.compat import has_mmdet
from mmlt.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'


@dataclass(frozen=True)
class Benchmark:
    """A model, and the losses to train it with.

    Losses are given by the config that has them, ``{name}_{rest}.py``, or
    as what replaces the loss of the stock config.

    Args:
        rest (str): What the names of the configs have in common.
        stock (str): Config with the stock loss.
        losses (dict[str, str | dict]): Ours.
        size (int): Height and width of the images.
        batch (tuple[int, int]): Images of a step, on a CPU and on a GPU.
        turns (int): As many as bring the noise of a ratio well below 1 %.
        stocks (dict[str, dict]): Stock losses that are not that of ``stock``.
        trained (str): Name of the only part that is trained; all by default.
    """

    rest: str
    stock: str
    losses: dict[str, str | dict]
    size: int
    batch: tuple[int, int]
    turns: int
    stocks: dict[str, dict] = field(default_factory=dict)
    trained: str = ''

    def config(self, loss: str | dict) -> Config:
        """The config with this loss."""
        if isinstance(loss, str):
            return Config.fromfile(CONFIGS / f'{loss}_{self.rest}.py')
        cfg = self.config(self.stock)
        if 'roi_head' in cfg.model:
            cfg.model.roi_head.bbox_head.loss_cls = loss
        else:
            cfg.model.head.loss = loss
        return cfg


BENCHMARKS = {
    'resnet32': Benchmark(
        'resnet32_200e_cifar100-lt-if100',
        'baselines/ce',
        {
            'LogitAdjustedLoss': 'logit_adjustment/logit-adjusted',
            'PairwiseMarginLoss': 'logit_adjustment/pairwise-adaptive',
            # The configs of these two have another optimizer.
            'ClassWeightedCELoss': dict(type='mmlt.ClassWeightedCELoss'),
            'LDAMLoss': dict(type='mmlt.LDAMLoss', scale=1.0),
            'SoftmaxFocalLoss': 'reweighting/cb-focal',
            'VSLoss': 'vs_loss/vs',
        },
        size=32,
        batch=(16, 128),
        turns=61,
    ),
    'resnet50': Benchmark(
        'resnet50_90e_imagenet-lt',
        'baselines/ce',
        {
            'LogitAdjustedLoss': 'logit_adjustment/logit-adjusted',
            'PairwiseMarginLoss': dict(type='mmlt.PairwiseMarginLoss'),
        },
        size=224,
        batch=(1, 64),
        turns=41,
    ),
    'resnet50-pfc': Benchmark(
        'resnet50-pfc_8e_coco-mlt',
        'db_loss/erm',
        {
            'DistributionBalancedLoss': 'db_loss/db-focal',
            'ClassBalancedFocalLoss': 'db_loss/cb-focal',
            'ReweightedBCELoss': 'db_loss/rw',
        },
        size=224,
        batch=(2, 32),
        turns=21,
    ),
    'faster-rcnn': Benchmark(
        'faster-rcnn_r18-small_fpn_4e_fashion-scenes',
        'baselines/classifier',
        {
            'BAGSLoss': 'bags/bags',
            'EQLLoss': dict(type='mmlt.EQLLoss', num_classes=60),
            'EQLv2Loss': 'baselines/eqlv2-classifier',
            'SeesawLoss': 'baselines/seesaw-classifier',
            'LogitAdjustedLoss': 'baselines/logit-adjusted-classifier',
        },
        size=160,
        batch=(4, 16),
        turns=41,
        stocks={
            'SeesawLoss': dict(
                type='SeesawLoss', p=0.8, q=2.0, num_classes=60
            ),
        },
    ),
}
# As the configs of these losses train.
BENCHMARKS['faster-rcnn-classifier'] = replace(
    BENCHMARKS['faster-rcnn'], trained='roi_head.bbox_head.fc_cls'
)


def limit(loss: str) -> float:
    """The largest ratio that is all right."""
    return 1.05 if loss == 'BAGSLoss' else 1.02


def head_of(cfg: Config) -> ConfigDict:
    """The head of a classifier or detector."""
    model = cfg.model
    if 'roi_head' in model:
        return model.roi_head.bbox_head
    return model.get('head') or model.bbox_head


def class_batch(cfg: Config, batch: int, size: int, device: str) -> dict:
    """Random images with a label; for multi-label data with three."""
    from mmpretrain.structures import DataSample

    head = cfg.model.head
    labels = 3 if head.type.startswith('MultiLabel') else 1
    samples = [
        DataSample().set_gt_label(torch.randperm(head.num_classes)[:labels])
        for _ in range(batch)
    ]
    return dict(
        inputs=list(random_images(batch, size, device)),
        data_samples=[sample.to(device) for sample in samples],
    )


def box_batch(cfg: Config, batch: int, size: int, device: str) -> dict:
    """Random images with five boxes of 20 to 40 pixels."""
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    num_classes = head_of(cfg).num_classes
    samples = []
    for _ in range(batch):
        corner = torch.rand(5, 2) * (size - 40)
        boxes = torch.cat([corner, corner + 20 + 20 * torch.rand(5, 2)], 1)
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(size, size),
                ori_shape=(size, size),
                scale_factor=(1.0, 1.0),
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=boxes, labels=torch.randint(num_classes, (5,))
        )
        samples.append(sample.to(device))
    return dict(
        inputs=list(random_images(batch, size, device)), data_samples=samples
    )


def random_images(batch: int, size: int, device: str) -> torch.Tensor:
    """(B, 3, size, size) bytes."""
    images = torch.randint(256, (batch, 3, size, size), dtype=torch.uint8)
    return images.to(device)


def build(cfg: Config, device: str, trained: str = '') -> nn.Module:
    """The model of a config, in training, with class statistics."""
    # There is no network, and the time does not depend on the weights.
    cfg.model.backbone.init_cfg = None
    if 'data_preprocessor' in cfg:
        cfg.model.data_preprocessor = cfg.data_preprocessor
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    for module in model.modules():
        if isinstance(module, ClassStatsReceiver):
            module.set_class_stats(long_tailed(head_of(cfg).num_classes))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(trained))
    return model.to(device).train()


def share_weights(source: nn.Module, target: nn.Module) -> None:
    """Give ``target`` what fits it; some losses have a wider classifier."""
    own = target.state_dict()
    shared = {
        name: value
        for name, value in source.state_dict().items()
        if name in own and value.shape == own[name].shape
    }
    target.load_state_dict(shared, strict=False)


def contestant(cfg: Config, model: nn.Module, data: dict) -> Callable:
    """One training step."""
    settings = ConfigDict(cfg.optim_wrapper)
    # The batch stays the same, and so must the proposals.
    settings.optimizer.lr = 1e-5
    optimizer = build_optim_wrapper(model, settings)
    return partial(model.train_step, data, optimizer)


def run(
    benchmark: Benchmark, batch: int, turns: int, device: str
) -> Iterator[tuple[str, dict[str, Timing]]]:
    """Time each loss beside its stock loss."""
    for name, loss in benchmark.losses.items():
        stock = benchmark.config(benchmark.stocks.get(name, benchmark.stock))
        ours = benchmark.config(loss)
        with DefaultScope.overwrite_default_scope(stock.default_scope):
            models = [
                build(cfg, device, benchmark.trained) for cfg in (stock, ours)
            ]
            share_weights(*models)
            is_detector = stock.default_scope == 'mmdet'
            make_batch = box_batch if is_detector else class_batch
            data = make_batch(stock, batch, benchmark.size, device)
            steps = {
                key: contestant(cfg, model, data)
                for key, cfg, model in zip(
                    ('stock', 'ours'), (stock, ours), models, strict=True
                )
            }
            yield name, compare(steps, turns, device)


def can_run(name: str, device: str) -> bool:
    """Whether what the model needs is there; says so if not."""
    if not name.startswith('faster-rcnn'):
        return True
    missing = None if has_mmdet() else 'MMDetection'
    if not missing and device != 'cpu':
        from mmcv.ops import get_compiling_cuda_version

        if get_compiling_cuda_version() == 'not available':
            missing = 'an MMCV with operators for CUDA'
    if missing:
        print(f'\n{name} is left out: it needs {missing}\n', file=sys.stderr)
    return not missing


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--model', choices=BENCHMARKS, help='default: all')
    parser.add_argument('--batch', type=int, help='images of a step')
    parser.add_argument('--turns', type=int)
    parser.add_argument('--device', default='cpu')
    # As in PyTorch's own timer: the same on any processor.
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument(
        '--check',
        action='store_true',
        help='exit with 1 if a ratio is above its limit',
    )
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    # It would list each weight that is initialised.
    MMLogger.get_current_instance().setLevel('WARNING')
    on_gpu = torch.device(args.device).type == 'cuda'
    above = []
    print('| Model | B | Loss | Stock, ms | Ours, ms | Ratio | IQR | Limit |')
    print('|-|-|-|-|-|-|-|-|')
    for name in [args.model] if args.model else BENCHMARKS:
        if not can_run(name, args.device):
            continue
        benchmark = BENCHMARKS[name]
        batch = args.batch or benchmark.batch[on_gpu]
        turns = args.turns or benchmark.turns
        for loss, timings in run(benchmark, batch, turns, args.device):
            stock, ours = timings['stock'], timings['ours']
            if ours.ratio > limit(loss):
                above.append(f'{loss} in {name}')
            print(
                f'| {name} | {batch} | {loss} | {1e3 * stock.seconds:.1f} '
                f'| {1e3 * ours.seconds:.1f} | {ours.ratio:.3f} '
                f'| {ours.spread:.3f} | {limit(loss)} |',
                flush=True,
            )
    if above and args.check:
        sys.exit(f'Above the limit: {", ".join(above)}')


if __name__ == '__main__':
    main()
