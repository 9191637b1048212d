"""A stock detector of MMDetection is calibrated without a training set."""

import json
import pickle
from dataclasses import replace

import mmcv
import numpy as np
import pytest
import torch
from mmdet.datasets import LVISV1Dataset
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner

from mmlt.analysis.box_sweep import calibrated
from mmlt.analysis.tau_sweep import load_held_out
from mmlt.class_stats import ClassStats
from mmlt.class_stats.storage import load_tensors
from mmlt.evaluation.metrics import LVISMetric
from mmlt.models.posthoc import NorCal

CONFIG = """
_base_ = [
    'mmdet::_base_/models/{model}_r50_fpn.py',
    'mmdet::_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        depth=18,
        base_channels=4,
        stem_channels=4,
        frozen_stages=-1,
        init_cfg=None,
    ),
    neck=dict(in_channels=[4, 8, 16, 32], out_channels=8),
    rpn_head=dict(in_channels=8, feat_channels=8),
    roi_head=dict(bbox_roi_extractor=dict(out_channels=8)),
    test_cfg=dict(rpn=dict(max_per_img=8), rcnn=dict(score_thr=1e-4)),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='LVISV1Dataset',
        ann_file={folder!r} + '/val.json',
        data_prefix=dict(img={folder!r}),
        test_mode=True,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=(64, 64), keep_ratio=True),
            dict(type='PackDetInputs'),
        ],
    ),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(
    type='DumpResults', out_file_path={folder!r} + '/found.pkl'
)
work_dir = {folder!r} + '/work'
log_level = 'WARNING'
"""


@pytest.fixture(params=['faster-rcnn', 'cascade-rcnn'])
def folder(request, tmp_path):
    """With the config, images and a random checkpoint of stock MMDetection."""
    images = []
    for index in range(2):
        pixels = np.random.default_rng(index).integers(0, 256, (64, 64, 3))
        mmcv.imwrite(pixels.astype(np.uint8), str(tmp_path / f'{index}.png'))
        url = f'http://images.cocodataset.org/{index}.png'
        images.append(dict(id=index, coco_url=url, height=64, width=64))
    names = LVISV1Dataset.METAINFO['classes']
    categories = [dict(id=k + 1, name=name) for k, name in enumerate(names)]
    content = dict(images=images, annotations=[], categories=categories)
    (tmp_path / 'val.json').write_text(json.dumps(content))
    config = CONFIG.format(model=request.param, folder=str(tmp_path))
    cfg = Config.fromstring(config, '.py')
    heads = cfg.model.roi_head.bbox_head
    for head in heads if isinstance(heads, list) else [heads]:
        head.update(in_channels=8, fc_out_channels=8, num_classes=1203)
    cfg.dump(tmp_path / 'config.py')
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
    for name, layer in model.named_modules():
        if name.endswith('fc_cls'):
            torch.nn.init.normal_(layer.weight)
    meta = dict(dataset_meta=LVISV1Dataset.METAINFO)
    torch.save(
        dict(state_dict=model.state_dict(), meta=meta),
        tmp_path / 'detector.pth',
    )
    return tmp_path


def predict(folder, checkpoint, **changes):
    cfg = Config.fromfile(folder / 'config.py')
    cfg.load_from = str(folder / checkpoint)
    cfg.merge_from_dict(changes)
    Runner.from_cfg(cfg).test()
    with open(folder / 'found.pkl', 'rb') as file:
        return [each['pred_instances'] for each in pickle.load(file)]


def test_by_the_tool_and_by_the_hook(folder, load_tool):
    tool = load_tool('model_converters/edit_classifier.py')
    stats = ClassStats.from_json('lvis_v1')
    dimension = np.linspace(1, 2, stats.num_classes)
    ours = folder / 'ours.json'
    replace(stats, fractal_dimension=dimension).to_json(ours)
    instances = stats.instance_count
    share = instances / instances.sum() * len(instances)
    offsets = {
        ('--norcal', '0.6', 'lvis_v1'): 0.6 * np.log(stats.image_count),
        ('--fracal', '10', ours): np.log10(share) + 2 * np.log(dimension),
    }
    files = [folder / n for n in ('config.py', 'detector.pth', 'edited.pth')]
    before = load_tensors(files[1])['state_dict']
    layers = [key for key in before if key.endswith('fc_cls.bias')]
    is_cascade = 'CascadeRoIHead' in (folder / 'config.py').read_text()
    assert len(layers) == (3 if is_cascade else 1)
    for (name, strength, counts), offset in offsets.items():
        options = [name, strength, '--class-stats', counts]
        tool.main([*map(str, [*files, *options])])
        after = load_tensors(files[2])['state_dict']
        for key, value in before.items():
            expected = value.double()
            if key in layers:
                expected[:-1] -= torch.from_numpy(offset)
                assert after[key][-1] == value[-1]
            torch.testing.assert_close(after[key].double(), expected)

    hook = dict(
        type='mmlt.ClassifierEditHook',
        edits=[dict(type='mmlt.FRACAL')],
        class_stats=str(ours),
    )
    by_hook = predict(folder, 'detector.pth', custom_hooks=[hook])
    by_tool = predict(folder, 'edited.pth')
    for one, other in zip(by_hook, by_tool, strict=True):
        assert len(one['scores'])
        torch.testing.assert_close(one, other)


def test_what_is_missing_is_said(folder, load_tool):
    tool = load_tool('model_converters/edit_classifier.py')
    files = [folder / n for n in ('config.py', 'detector.pth', 'out.pth')]
    with pytest.raises(ValueError, match='no class statistics'):
        tool.main([*map(str, files), '--norcal', '0.6'])
    for name, message in (
        ('lvis_v1', r'no fractal_dimension; .*class_stats\.py'),
        ('lvis_v0.5', 'has 1203 classes, but the class statistics hold 1230'),
    ):
        with pytest.raises(ValueError, match=message):
            tool.main(
                [*map(str, files), '--fracal', '10', '--class-stats', name]
            )


def annotate(folder, found):
    """Annotations of the best boxes that were found, in LVIS's format."""
    content = json.loads((folder / 'val.json').read_text())
    for category in content['categories']:
        category['frequency'] = 'rcf'[category['id'] % 3]
    for image, each in zip(content['images'], found, strict=True):
        image.update(neg_category_ids=[1], not_exhaustive_category_ids=[])
        corners = each['bboxes'][:5]
        sizes = corners[:, 2:] - corners[:, :2]
        for box, label in zip(
            torch.cat([corners[:, :2], sizes], dim=1).tolist(),
            each['labels'][:5].tolist(),
            strict=True,
        ):
            content['annotations'].append(
                dict(
                    id=len(content['annotations']) + 1,
                    image_id=image['id'],
                    category_id=label + 1,
                    bbox=box,
                    area=box[2] * box[3],
                )
            )
    # The file is that of a larger data set.
    content['images'].append({**content['images'][0], 'id': 7})
    (folder / 'train.json').write_text(json.dumps(content))


def test_sweep_of_scores_that_were_saved_once(folder, load_tool, run_tool):
    edit = dict(type='mmlt.NorCal', gamma=0.5)
    hook = dict(type='mmlt.ClassifierEditHook', edits=[edit])
    hook['class_stats'] = 'lvis_v1'
    tested = {
        0.0: predict(folder, 'detector.pth'),
        0.5: predict(folder, 'detector.pth', custom_hooks=[hook]),
    }
    annotate(folder, tested[0.5])
    run_tool(
        'test.py',
        folder / 'config.py',
        folder / 'detector.pth',
        *('--dump-logits', folder / 'boxes.pt', '--split', 'train'),
    )
    dump = load_held_out(folder / 'boxes.pt')
    assert dump['classes'] == list(LVISV1Dataset.METAINFO['classes'])
    for gamma, found in tested.items():
        offset = NorCal(gamma).offset(ClassStats.from_json('lvis_v1'))
        for image, each in zip(dump['images'], found, strict=True):
            swept = calibrated(
                image, torch.from_numpy(offset), dump['test_cfg']
            )
            assert len(swept['labels']) == len(each['labels'])
            # Logits are kept in half precision.
            torch.testing.assert_close(
                swept['scores'], each['scores'], rtol=0.03, atol=1e-4
            )
            same = set(swept['labels'].tolist()) & set(each['labels'].tolist())
            assert len(same) > 0.9 * len(each['labels'].unique())

    tool = load_tool('analysis_tools/sweep_tau.py')
    files = [folder / 'boxes.pt', '--ann-file', folder / 'train.json']
    options = ['--class-stats', 'lvis_v1', '--edit', 'norcal']
    options += ['--out', str(folder / 'out')]
    taus = ['--taus', '0', '0.5', '2']
    tool.main([*map(str, files), *options, *taus])
    sweep = json.loads((folder / 'out' / 'tau_sweep.json').read_text())
    assert sweep['best_gamma'] == sweep['gamma'][np.argmax(sweep['AP'])]
    metric = LVISMetric(str(folder / 'out' / 'held_out.json'))
    for gamma, found in tested.items():
        for image, each in zip(dump['images'], found, strict=True):
            metric.process(None, [dict(image, pred_instances=each)])
        expected = metric.evaluate(len(found))['lvis/bbox_AP']
        swept = dict(zip(sweep['gamma'], sweep['AP'], strict=True))[gamma]
        assert swept == pytest.approx(expected, abs=2)
    assert (folder / 'out' / 'tau_sweep.png').stat().st_size > 5000
    with pytest.raises(ValueError, match='--ann-file FILE'):
        tool.main([str(files[0]), *options])
    dump['images'][0]['img_id'] = 55
    torch.save(dump, folder / 'other.pt')
    with pytest.raises(ValueError, match='lacks 1 of the images, first id 55'):
        tool.main([str(folder / 'other.pt'), *map(str, files[1:]), *options])
