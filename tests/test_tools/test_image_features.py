"""tools/dataset_converters/image_features.py, and training on its files."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner

TOOL = 'dataset_converters/image_features.py'
SIZES = {'cat': 5, 'dog': 3}
HEAD = dict(type='LinearClsHead', num_classes=2, in_channels=16)


def config(folder):
    """A small classifier, and images of one name in several folders."""
    rng = np.random.default_rng(0)
    for part in ('train', 'test'):
        for name, size in SIZES.items():
            (folder / part / name).mkdir(parents=True)
            for k in range(size):
                image = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
                cv2.imwrite(str(folder / part / name / f'{k}.png'), image)
    load = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    flip = dict(type='RandomFlip', prob=1.0, direction='horizontal')

    def loader(part, pipeline, **wrapper):
        dataset = dict(
            type='CustomDataset',
            data_root=str(folder / part),
            pipeline=pipeline,
        )
        if wrapper:
            dataset = dict(wrapper, dataset=dataset)
        return dict(
            batch_size=3,
            num_workers=0,
            dataset=dataset,
            sampler=dict(type='DefaultSampler', shuffle=bool(wrapper)),
        )

    return Config(
        dict(
            default_scope='mmpretrain',
            data_preprocessor=dict(mean=[120.0] * 3, std=[60.0] * 3),
            model=dict(
                type='ImageClassifier',
                backbone=dict(
                    type='mmlt.CIFARResNet', depth=20, base_channels=4
                ),
                neck=dict(type='GlobalAveragePooling'),
                head=HEAD,
            ),
            train_dataloader=loader(
                'train',
                [load[0], flip, load[1]],
                type='mmlt.LongTailedDataset',
                counts=[4, 2],
            ),
            test_dataloader=loader('test', load),
        )
    )


@pytest.fixture
def files(tmp_path):
    """Paths of a config and of a checkpoint."""
    cfg = config(tmp_path)
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.backbone.bn1.running_mean += 0.1
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'first.pth')
    cfg.dump(tmp_path / 'config.py')
    return str(tmp_path / 'config.py'), str(tmp_path / 'first.pth')


@pytest.fixture
def tool(load_tool):
    return load_tool(TOOL)


def test_features_are_those_of_the_network(tool, files, tmp_path, capsys):
    out = tmp_path / 'features'
    tool.main([*files, '--out', str(out)])
    assert 'features_test.npz: 8 x 16' in capsys.readouterr().out
    cfg = Config.fromfile(files[0])
    model = MODELS.build(cfg.model).eval()
    model.load_state_dict(torch.load(files[1])['state_dict'])
    for part, number in (('train', 6), ('test', 8)):
        with np.load(out / f'features_{part}.npz') as content:
            names, features = content['names'], content['features']
        assert len(names) == len(features) == number
        assert features.dtype == np.float32
        for name, feature in zip(names, features, strict=True):
            # Not flipped, in training neither.
            image = cv2.imread(str(tmp_path / name)).transpose(2, 0, 1)
            image = torch.from_numpy((image.astype(np.float32) - 120) / 60)
            with torch.no_grad():
                expected = model.extract_feat(image[None])[-1][0]
            np.testing.assert_allclose(feature, expected, atol=1e-5)


def second_stage(folder, features, **kwargs):
    cfg = config(folder / 'other')
    for part in ('train', 'test'):
        loader = cfg[f'{part}_dataloader']
        inner = loader.dataset.get('dataset', loader.dataset)
        # Images are not read.
        inner.data_root = str(folder / part)
        inner.pipeline = [
            dict(
                type='mmlt.LoadImageFeature',
                file=str(features / f'features_{part}.npz'),
            ),
            dict(type='PackInputs'),
        ]
    cfg.data_preprocessor = dict()
    cfg.model.backbone = dict(type='mmlt.ImageFeatures', in_channels=16)
    cfg.model.neck = None
    cfg.work_dir = str(folder / 'second')
    cfg.train_cfg = dict(by_epoch=True, max_epochs=2)
    cfg.optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
    cfg.test_cfg = dict()
    cfg.test_evaluator = dict(type='Accuracy')
    cfg.merge_from_dict(kwargs)
    return Runner.from_cfg(cfg)


def test_second_stage_equals_that_on_images(tool, files, tmp_path):
    """A frozen network and its features train the same classifier."""
    tool.main([*files, '--out', str(tmp_path / 'features')])
    runner = second_stage(tmp_path, tmp_path / 'features', load_from=files[1])
    first = torch.load(files[1])['state_dict']
    runner.load_or_resume()
    assert runner.model.head.fc.weight.equal(first['head.fc.weight'])
    tested = runner.test()
    cfg = Config.fromfile(files[0])
    cfg.update(
        work_dir=str(tmp_path / 'images'),
        load_from=files[1],
        test_cfg=dict(),
        test_evaluator=dict(type='Accuracy'),
    )
    cfg.pop('train_dataloader')
    assert Runner.from_cfg(cfg).test() == tested
    runner.train()
    assert not runner.model.head.fc.weight.equal(first['head.fc.weight'])


def test_width_before_the_first_step(tool, files, tmp_path):
    tool.main([*files, '--out', str(tmp_path / 'features')])
    options = {'model.backbone.in_channels': 8, 'model.head.in_channels': 8}
    runner = second_stage(tmp_path, tmp_path / 'features', **options)
    with pytest.raises(ValueError, match=r'shape \(3, 16\), but in_channels'):
        runner.train()
    assert runner.iter == 0


def test_images_that_are_missing(tool, files, tmp_path):
    features = tmp_path / 'features'
    tool.main([*files, '--out', str(features), '--parts', 'test', '--half'])
    with np.load(features / 'features_test.npz') as content:
        assert content['features'].dtype == np.float16
    with pytest.raises(FileNotFoundError, match=r'image_features\.py'):
        second_stage(tmp_path, features).train()
    (features / 'features_test.npz').rename(features / 'features_train.npz')
    (tmp_path / 'other').rename(tmp_path / 'another')
    runner = second_stage(tmp_path, features)
    with pytest.raises(ValueError, match=r'no features of .*train/'):
        runner.train()


def test_maps_before_a_module(tool, files, tmp_path, capsys):
    """What follows it makes the features of them."""
    out = ['--parts', 'test', '--out', str(tmp_path)]
    tool.main([*files, *out])
    with np.load(tmp_path / 'features_test.npz') as content:
        expected = content['features']
    tool.main([*files, *out, '--before', 'backbone.layer3.1'])
    assert 'features_test.npz: 8 x 16 x 3 x 3' in capsys.readouterr().out
    with np.load(tmp_path / 'features_test.npz') as content:
        maps = torch.from_numpy(content['features'])
    model = MODELS.build(Config.fromfile(files[0]).model).eval()
    model.load_state_dict(torch.load(files[1])['state_dict'])
    with torch.no_grad():
        for block in list(model.backbone.layer3)[1:]:
            maps = block(maps)
    torch.testing.assert_close(
        maps.mean(dim=(2, 3)), torch.from_numpy(expected)
    )
    with pytest.raises(ValueError, match=r"before must be .* got 'layer3'"):
        tool.main([*files, *out, '--before', 'layer3'])


def test_checkpoint_of_another_network(tool, files, tmp_path):
    state = torch.load(files[1])['state_dict']
    del state['backbone.conv1.weight']
    torch.save({'state_dict': state}, tmp_path / 'other.pth')
    arguments = [files[0], str(tmp_path / 'other.pth'), '--out', 'x']
    with pytest.raises(ValueError, match=r'hold backbone\.conv1\.weight \(4'):
        tool.main(arguments)
    with pytest.raises(FileNotFoundError, match='no file'):
        tool.main([files[0], 'none.pth', '--out', 'x'])


def test_part_that_the_config_lacks(tool, files):
    arguments = [*files, '--out', 'x', '--parts', 'val']
    with pytest.raises(ValueError, match='has no val_dataloader'):
        tool.main(arguments)
