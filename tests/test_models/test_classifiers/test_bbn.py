import copy
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.runner import Runner
from mmpretrain.apis import FeatureExtractor, ImageClassificationInferencer
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn
from torch._dynamo.testing import CompileCounter
from torch.func import functional_call
from torch.utils.data import Dataset

NUM_CLASSES, WIDTH, BATCH = 5, 16, 4
GROUP_NORM = dict(type='GN', num_groups=2)
BACKBONE = dict(
    type='mmlt.CIFARResNet', depth=20, in_channels=1, base_channels=4
)
MODEL = dict(
    type='mmlt.BBNClassifier',
    backbone=dict(type='mmlt.BilateralBackbone', backbone=BACKBONE),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='mmlt.BBNHead', num_classes=NUM_CLASSES, in_channels=WIDTH),
)


def build(norm_cfg=None, **head):
    config = copy.deepcopy(MODEL)
    config['backbone']['backbone']['norm_cfg'] = norm_cfg
    config['head'].update(head)
    torch.manual_seed(0)
    model = MODELS.build(config)
    nn.init.normal_(model.head.fc.weight)
    return model


def make_batch(half=BATCH, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(2 * half, 1, 8, 8, generator=generator, dtype=dtype)
    labels = torch.randint(NUM_CLASSES, (2 * half,), generator=generator)
    return inputs, [DataSample().set_gt_label(label) for label in labels]


def loss_of(model, inputs, samples):
    return model(inputs, samples, mode='loss')['loss']


@pytest.mark.parametrize('alpha', [0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    'norm_cfg', [GROUP_NORM, dict(type='BN')], ids=['GN', 'BN in eval']
)
def test_one_step_against_single_samples(norm_cfg, alpha):
    """Two plain networks, one image at a time, as the paper writes it."""
    model = build(norm_cfg).double().eval()
    model.alpha.fill_(alpha)
    inputs, samples = make_batch(dtype=torch.float64)
    loss = loss_of(model, inputs, samples)
    loss.backward()

    leaves = {
        name: parameter.detach().clone().requires_grad_()
        for name, parameter in model.named_parameters()
    }
    plain = MODELS.build(dict(BACKBONE, norm_cfg=norm_cfg)).double()
    plain.eval()

    def feature(image, branch):
        weights = {
            name: leaves.get(
                f'backbone.trunk.{name}',
                leaves.get(
                    'backbone.trunk.'
                    + name.replace('layer3.2', f'layer3.2.{branch}')
                ),
            )
            for name, _ in plain.named_parameters()
        }
        maps = functional_call(plain, weights, (image[None],))[-1][0]
        return maps.mean(dim=(1, 2))

    w_c, w_r = leaves['head.fc.weight'].split(WIDTH, dim=1)
    expected, features = 0, []
    for i in range(BATCH):
        f_c = feature(inputs[i], 'conventional')
        f_r = feature(inputs[BATCH + i], 'rebalancing')
        features.append(torch.stack([f_c, f_r]))
        z = 2 * (alpha * w_c @ f_c + (1 - alpha) * w_r @ f_r)
        log_p = nn.functional.log_softmax(z + leaves['head.fc.bias'], dim=0)
        y_c, y_r = samples[i].gt_label, samples[BATCH + i].gt_label
        expected = expected - alpha * log_p[y_c] - (1 - alpha) * log_p[y_r]
    expected = expected.squeeze() / BATCH
    expected.backward()

    tolerance = dict(rtol=1e-6, atol=1e-6)
    feats = model.extract_feat(inputs.chunk(2))
    torch.testing.assert_close(
        torch.stack(feats, 1), torch.stack(features), **tolerance
    )
    torch.testing.assert_close(loss, expected, **tolerance)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(
            parameter.grad, leaves[name].grad, **tolerance
        )


@pytest.mark.parametrize(
    ('alpha', 'idle'), [(0.0, 'conventional'), (1.0, 'rebalancing')]
)
def test_every_branch_takes_part_at_both_ends(alpha, idle):
    model = build()
    model.alpha.fill_(alpha)
    loss_of(model, *make_batch()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        if idle in name:
            assert not parameter.grad.any()


def test_alpha_is_a_buffer_that_checkpoints_leave_out():
    model = build()
    assert model.alpha.shape == ()
    assert model.alpha.dtype == torch.float32
    assert 'alpha' in dict(model.named_buffers())
    assert 'alpha' not in model.state_dict()


def test_test_time_uses_both_branches_of_each_image():
    model = build().eval()
    inputs, _ = make_batch()
    stages = [
        model.extract_feat(inputs[:3], stage=stage)
        for stage in ('backbone', 'neck', 'pre_logits')
    ]
    maps, vectors, pre_logits = stages
    assert [tuple(m.shape) for m in maps] == [(3, WIDTH, 2, 2)] * 2
    for feature_map, vector in zip(maps, vectors, strict=True):
        torch.testing.assert_close(vector, feature_map.mean(dim=(2, 3)))
    torch.testing.assert_close(pre_logits, torch.cat(vectors, dim=1))

    logits = model(inputs[:3])
    torch.testing.assert_close(logits, model.head.fc(pre_logits))
    model.alpha.fill_(0.1)  # of no effect at test
    scores = torch.stack([s.pred_score for s in model.predict(inputs[:3])])
    torch.testing.assert_close(scores, logits.softmax(dim=1))


def test_mixed_precision_step():
    model = build(cal_acc=True)
    inputs, samples = make_batch()
    exact = loss_of(model, inputs, samples)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = loss_of(model, inputs, samples)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, exact, rtol=0.05, atol=0)
    loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_compiles_without_breaks_or_recompilation():
    model = build().eval()
    counter = CompileCounter()

    @torch.compile(backend=counter, fullgraph=True)
    def training_logits(images):
        return model.head(model.extract_feat(images.chunk(2)), model.alpha)

    inputs, _ = make_batch()
    outs = []
    for alpha in (1.0, 0.4, 0.0):
        model.alpha.fill_(alpha)
        outs.append(training_logits(inputs))
    assert counter.frame_count == 1
    assert not torch.equal(outs[0], outs[1])


def test_odd_batch_is_refused():
    inputs, samples = make_batch()
    with pytest.raises(ValueError, match=r'odd batch of 7.*BilateralBatch'):
        loss_of(build(), inputs[:7], samples[:7])


def test_plain_backbone_is_refused():
    with pytest.raises(TypeError, match='backbone is a CIFARResNet'):
        MODELS.build(dict(MODEL, backbone=BACKBONE))


def test_plain_head_is_refused():
    head = dict(type='LinearClsHead', num_classes=5, in_channels=WIDTH)
    with pytest.raises(TypeError, match=r'mmlt\.BBNHead'):
        MODELS.build(dict(MODEL, head=head))


def test_batch_augmentation_is_refused():
    augments = dict(augments=dict(type='Mixup', alpha=1.0))
    with pytest.raises(ValueError, match='train_cfg'):
        MODELS.build(dict(MODEL, train_cfg=augments))


class GreyImages(Dataset):
    """Seven labelled images."""

    def __init__(self):
        self.metainfo = dict(classes=tuple('abcde'))

    def __len__(self):
        return 7

    def __getitem__(self, index):
        sample = DataSample().set_gt_label(index % NUM_CLASSES)
        return dict(inputs=torch.full((1, 8, 8), index), data_samples=sample)


def test_runner_tests_with_a_checkpoint(tmp_path):
    model = build()
    path = tmp_path / 'bbn.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    runner = Runner(
        model=copy.deepcopy(MODEL),
        work_dir=str(tmp_path),
        test_dataloader=dict(
            batch_size=4,
            dataset=GreyImages(),
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
        ),
        test_cfg=dict(),
        test_evaluator=dict(type='Accuracy'),
        load_from=str(path),
        default_scope='mmpretrain',
        experiment_name='bbn_test',
    )
    metrics = runner.test()
    images = torch.arange(7.0).view(7, 1, 1, 1).expand(7, 1, 8, 8)
    predicted = model.eval()(images).argmax(dim=1)
    hits = (predicted == torch.arange(7) % NUM_CLASSES).float().mean()
    assert metrics['accuracy/top1'] == pytest.approx(100 * hits.item())


def test_inferencer_and_feature_extractor():
    model = build().eval()
    pipeline = [dict(type='PackInputs')]
    model._config = Config(
        dict(test_dataloader=dict(dataset=dict(pipeline=pipeline)))
    )
    model.backbone.trunk.conv1 = nn.Conv2d(3, 4, 3, 1, 1, bias=False)
    images = [torch.rand(8, 8, 3).mul(255).byte().numpy() for _ in range(3)]
    inputs = torch.stack([torch.from_numpy(i) for i in images])
    inputs = inputs.permute(0, 3, 1, 2).float()

    results = ImageClassificationInferencer(model)(images, batch_size=2)
    expected = model(inputs).softmax(dim=1)
    scores = torch.stack(
        [torch.from_numpy(result['pred_scores']) for result in results]
    )
    torch.testing.assert_close(scores, expected.detach())

    feats = FeatureExtractor(model)(images, stage='pre_logits')
    expected = model.extract_feat(inputs, stage='pre_logits')
    torch.testing.assert_close(torch.stack(feats), expected.detach())


ALPHAS = (0.3, 1.0)


def step_gradients(model, alpha, inputs, samples):
    model.zero_grad()
    getattr(model, 'module', model).alpha.fill_(alpha)
    loss_of(model, inputs, samples).backward()
    return {
        name.removeprefix('module.'): parameter.grad.clone()
        for name, parameter in model.named_parameters()
    }


def run_rank(rank, world, folder):
    """Save the gradients of steps on this rank's share of the batch."""
    torch.distributed.init_process_group(
        'gloo', f'file://{folder}/store', rank=rank, world_size=world
    )
    model = MMDistributedDataParallel(
        build(GROUP_NORM).double(), broadcast_buffers=False
    )
    inputs, samples = make_batch(dtype=torch.float64)
    uniform, reversed_ = range(2 * BATCH)[:BATCH], range(2 * BATCH)[BATCH:]
    share = [*uniform[rank::world], *reversed_[rank::world]]
    batch = inputs[share], [samples[i] for i in share]
    gradients = [step_gradients(model, alpha, *batch) for alpha in ALPHAS]
    torch.save(gradients, f'{folder}/{rank}.pth')
    torch.distributed.destroy_process_group()


def test_two_processes_give_the_gradients_of_one(tmp_path):
    world = 2
    ranks = [
        subprocess.Popen([sys.executable, __file__, str(rank), '2', tmp_path])
        for rank in range(world)
    ]
    try:
        assert [rank.wait(timeout=240) for rank in ranks] == [0, 0]
    finally:
        for rank in ranks:
            rank.kill()
    model, batch = build(GROUP_NORM).double(), make_batch(dtype=torch.float64)
    for rank in range(world):
        gradients = torch.load(tmp_path / f'{rank}.pth', weights_only=True)
        for alpha, actual in zip(ALPHAS, gradients, strict=True):
            expected = step_gradients(model, alpha, *batch)
            torch.testing.assert_close(actual, expected)


if __name__ == '__main__':
    torch.set_num_threads(1)
    run_rank(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
