"""tools/model_converters/edit_classifier.py on a small real run."""

import copy
import pickle

import mmcv
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch.testing import assert_close

from mmlt.class_stats import ClassStats
from mmlt.class_stats.storage import load_tensors
from mmlt.models.posthoc.edits import adjust_logits, tau_normalize

COUNT = [5, 2, 1]
CONFIG = """
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=18, base_channels=1, stem_channels=1),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=3, in_channels=8),
)
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    dataset=dict(
        type='CustomDataset',
        data_root={root!r},
        pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')],
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_dataloader = train_dataloader
train_cfg = dict(by_epoch=True, max_epochs=1)
test_cfg = dict()
test_evaluator = dict(type='DumpResults', out_file_path={dump!r})
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9))
custom_hooks = [dict(type='mmlt.ClassStatsHook')]
log_level = 'WARNING'
"""


def run(folder, **changes):
    cfg = Config.fromfile(folder / 'config.py')
    cfg.merge_from_dict(
        dict(
            work_dir=str(folder / 'work'),
            experiment_name=f'edit_classifier_{id(cfg)}',
            **changes,
        )
    )
    return Runner.from_cfg(cfg)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A folder with config.py, images and the checkpoint of one epoch."""
    folder = tmp_path_factory.mktemp('trained')
    rng = np.random.default_rng(0)
    for label, count in enumerate(COUNT):
        for i in range(count):
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            path = folder / 'images' / f'class_{label}' / f'{i}.png'
            mmcv.imwrite(pixels, str(path))
    text = CONFIG.format(
        root=str(folder / 'images'), dump=str(folder / 'predictions.pkl')
    )
    (folder / 'config.py').write_text(text)
    run(folder).train()
    (folder / 'work' / 'epoch_1.pth').rename(folder / 'trained.pth')
    return folder


@pytest.fixture(scope='module')
def edit(load_tool):
    """Run the tool in a folder; return what it wrote."""
    tool = load_tool('model_converters/edit_classifier.py')

    def edit(folder, *arguments, source='trained.pth', out='out/edited.pth'):
        paths = folder / 'config.py', folder / source, folder / out
        tool.main([*map(str, paths), *arguments])
        return load_tensors(folder / out)

    return edit


def bias_of(checkpoint):
    return checkpoint['state_dict']['head.fc.bias']


def predict(folder, checkpoint):
    run(folder, load_from=str(folder / checkpoint)).test()
    with open(folder / 'predictions.pkl', 'rb') as file:
        return torch.stack([each['pred_score'] for each in pickle.load(file)])


def assert_same(actual, expected):
    """Bit-equal, whatever checkpoints hold."""
    assert type(actual) is type(expected)
    if isinstance(expected, torch.Tensor):
        assert actual.dtype == expected.dtype
        assert torch.equal(actual, expected)
    elif isinstance(expected, dict):
        assert list(actual) == list(expected)
        for key in expected:
            assert_same(actual[key], expected[key])
    elif hasattr(expected, '__dict__'):
        assert_same(vars(actual), vars(expected))
    elif isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(actual, expected)
    else:
        assert actual == expected


def assert_rest_untouched(edited, original):
    edited, original = copy.deepcopy(edited), copy.deepcopy(original)
    for checkpoint in (edited, original):
        checkpoint['meta'].pop('classifier_edits', None)
        for key in ('head.fc.weight', 'head.fc.bias'):
            checkpoint['state_dict'].pop(key)
    assert 'optimizer' in original
    assert 'message_hub' in original
    assert_same(edited, original)


def test_edited_classifier_exports(edit, trained, run_onnx):
    edit(trained, '--logit-adjustment', '1.0', out='exported.pth')
    images = torch.randn(2, 3, 8, 8)
    logits = {}
    for name in ('trained.pth', 'exported.pth'):
        runner = run(trained, load_from=str(trained / name))
        runner.load_or_resume()
        model = runner.model.eval()
        logits[name] = model(images)
    (exported,) = run_onnx(model, images)
    assert_close(exported, logits['exported.pth'], rtol=1e-4, atol=1e-5)
    prior = torch.tensor(COUNT) / sum(COUNT)
    adjusted = logits['trained.pth'] - prior.log()
    assert_close(exported.softmax(1), adjusted.softmax(1))


def test_logit_adjustment_with_the_stats_of_the_checkpoint(
    edit, trained, capsys
):
    content = (trained / 'trained.pth').read_bytes()
    before = load_tensors(trained / 'trained.pth')
    edited = edit(trained, '--logit-adjustment', '1.5')

    log_pi = torch.tensor(COUNT).double().div(8).log()
    state = before['state_dict']
    _, bias = adjust_logits(
        state['head.fc.weight'], state['head.fc.bias'], log_pi, 1.5
    )
    new_bias = edited['state_dict']['head.fc.bias']
    # A constant is free: the prior is relative to that of balanced classes.
    torch.testing.assert_close(new_bias - new_bias[0], bias - bias[0])
    assert_same(
        edited['state_dict']['head.fc.weight'], state['head.fc.weight']
    )
    assert_rest_untouched(edited, before)
    assert edited['meta']['classifier_edits'] == [
        dict(
            type='mmlt.LogitAdjustment',
            tau=1.5,
            by='image',
            zero_count='error',
            background='mean',
            layers=['head.fc'],
        )
    ]
    assert 'head.fc' in capsys.readouterr().out
    assert (trained / 'trained.pth').read_bytes() == content

    plain = predict(trained, 'trained.pth')
    adjusted = predict(trained, 'out/edited.pth')
    expected = (plain.log() - 1.5 * log_pi).softmax(1).float()
    torch.testing.assert_close(adjusted, expected)


@pytest.mark.parametrize('keep', [False, True])
def test_tau_norm(edit, trained, keep):
    before = load_tensors(trained / 'trained.pth')
    flag = ['--keep-bias'] if keep else []
    edited = edit(trained, '--tau-norm', '0.5', *flag)
    state = edited['state_dict']
    weight, bias = tau_normalize(
        before['state_dict']['head.fc.weight'],
        before['state_dict']['head.fc.bias'],
        0.5,
        keep,
    )
    assert_same(state['head.fc.weight'], weight)
    assert_same(state['head.fc.bias'], bias)
    assert_rest_untouched(edited, before)
    assert edited['meta']['classifier_edits'][0]['keep_bias'] is keep
    assert predict(trained, 'out/edited.pth').isfinite().all()


def test_the_same_edit_twice_needs_force(edit, trained):
    edit(trained, '--tau-norm', '0.5', out='once.pth')
    again = dict(source='once.pth', out='twice.pth')
    with pytest.raises(ValueError, match=r'mmlt\.TauNorm before.*--force'):
        edit(trained, '--tau-norm', '0.7', **again)
    assert not (trained / 'twice.pth').exists()
    edited = edit(trained, '--tau-norm', '0.7', '--force', **again)
    done = edited['meta']['classifier_edits']
    assert [each['tau'] for each in done] == [0.5, 0.7]
    # Another edit is no repetition.
    edited = edit(trained, '--logit-adjustment', '1', **again)
    done = edited['meta']['classifier_edits']
    assert [each['type'] for each in done] == [
        'mmlt.TauNorm',
        'mmlt.LogitAdjustment',
    ]


def save_without_stats(folder, **buffers):
    checkpoint = load_tensors(folder / 'trained.pth')
    del checkpoint['meta']['class_stats']
    checkpoint['state_dict'].update(buffers)
    torch.save(checkpoint, folder / 'other.pth')


def test_stats_of_a_file_win(edit, trained, tmp_path):
    path = tmp_path / 'stats.json'
    ClassStats.single_label([1, 1, 6]).to_json(path)
    arguments = ['--logit-adjustment', '1', '--class-stats', str(path)]
    edited = edit(trained, *arguments)
    before = load_tensors(trained / 'trained.pth')['state_dict'][
        'head.fc.bias'
    ]
    change = before - edited['state_dict']['head.fc.bias']
    expected = torch.tensor([1.0, 1.0, 6.0]).log()
    torch.testing.assert_close(change - change[0], expected)


def test_stats_in_the_buffers_of_a_loss(edit, trained):
    prefix = 'head.loss_module.'
    save_without_stats(
        trained,
        **{
            f'{prefix}image_count': torch.tensor([1, 1, 6]),
            f'{prefix}instance_count': torch.tensor([], dtype=torch.long),
            f'{prefix}num_images': torch.tensor(8),
        },
    )
    edited = edit(trained, '--logit-adjustment', '1', source='other.pth')
    before = load_tensors(trained / 'trained.pth')['state_dict'][
        'head.fc.bias'
    ]
    change = before - edited['state_dict']['head.fc.bias']
    expected = torch.tensor([1.0, 1.0, 6.0]).log()
    torch.testing.assert_close(change - change[0], expected)


def test_no_stats_at_all(edit, trained):
    save_without_stats(trained)
    with pytest.raises(ValueError, match='no class statistics'):
        edit(trained, '--logit-adjustment', '1', source='other.pth')


def test_a_layer_without_bias(edit, trained):
    checkpoint = load_tensors(trained / 'trained.pth')
    bias = checkpoint['state_dict'].pop('head.fc.bias')
    torch.save(checkpoint, trained / 'no_bias.pth')
    # The config builds a bias: it starts from zero.
    edited = edit(trained, '--logit-adjustment', '1', source='no_bias.pth')
    created = edited['state_dict']['head.fc.bias']
    other = edit(trained, '--logit-adjustment', '1')
    torch.testing.assert_close(
        created + bias, other['state_dict']['head.fc.bias']
    )


def test_the_loss_and_the_edit_exclude_each_other(edit, trained):
    option = 'model.head.loss.type=mmlt.LogitAdjustedLoss'
    with pytest.raises(ValueError, match='never both'):
        edit(trained, '--logit-adjustment', '1', '--cfg-options', option)


def test_named_layers(edit, trained):
    edited = edit(trained, '--tau-norm', '1', '--layers', 'head.fc')
    norm = edited['state_dict']['head.fc.weight'].norm(dim=1)
    torch.testing.assert_close(norm, torch.ones(3))
    with pytest.raises(ValueError, match=r"no module 'head\.last'"):
        edit(trained, '--tau-norm', '1', '--layers', 'head.last')


def test_a_config_of_another_model(edit, trained):
    option = 'model.head.num_classes=4'
    with pytest.raises(ValueError, match=r'\(4, 8\).*checkpoint: \(3, 8\)'):
        edit(trained, '--tau-norm', '1', '--cfg-options', option)


def test_bad_files(edit, trained):
    with pytest.raises(FileNotFoundError, match=r'no file .*missing\.pth'):
        edit(trained, '--tau-norm', '1', source='missing.pth')
    (trained / 'damaged.pth').write_bytes(b'no checkpoint')
    with pytest.raises(ValueError, match=r'damaged\.pth.* cannot be read'):
        edit(trained, '--tau-norm', '1', source='damaged.pth')
    torch.save({'weight': torch.zeros(3)}, trained / 'raw.pth')
    with pytest.raises(ValueError, match=r"no state_dict.*'weight'"):
        edit(trained, '--tau-norm', '1', source='raw.pth')
    with pytest.raises(ValueError, match='the trained checkpoint itself'):
        edit(trained, '--tau-norm', '1', out='trained.pth')


@pytest.mark.parametrize(
    'arguments',
    [
        [],
        ['--tau-norm', '1', '--logit-adjustment', '1'],
        ['--tau-norm', '1', '--by', 'image'],
        ['--logit-adjustment', '1', '--keep-bias'],
        ['--tau-norm', 'much'],
    ],
)
def test_options_that_do_not_fit(edit, trained, arguments, capsys):
    with pytest.raises(SystemExit):
        edit(trained, *arguments)
    assert 'error: ' in capsys.readouterr().err


def test_tau_must_be_finite(edit, trained):
    with pytest.raises(ValueError, match='tau must be a finite number'):
        edit(trained, '--tau-norm', 'nan')
