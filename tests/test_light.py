"""Classification where there is nothing of detection.

Each test starts a process in which the packages that only detection needs
cannot be imported, whatever is installed.
"""

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mmlt
from mmlt.registry import DETECTION_TYPES

TOOLS = Path(__file__).parents[1] / 'tools'
CONFIGS = Path(mmlt.__file__).parent / '.mim' / 'configs'
MISSING = (
    'mmdet',
    'mmcv.ops',
    'mmcv._ext',
    'hotcoco',
    'pycocotools',
    'lvis',
)
DETECTION_MODULES = {
    'mmlt.analysis.box_sweep',
    'mmlt.analysis.per_class_ap',
    'mmlt.analysis.report.detections',
    'mmlt.datasets.fashion_scenes',
    'mmlt.engine.hooks.loss_share_hook',
    'mmlt.engine.hooks.stitcher_hook',
    'mmlt.engine.roi_features',
    'mmlt.evaluation.lvis',
    'mmlt.evaluation.metrics.detections',
    'mmlt.evaluation.metrics.lvis',
    'mmlt.evaluation.metrics.shot_coco',
    'mmlt.models.loss_readers',
    'mmlt.models.roi_heads.bags_bbox_head',
    'mmlt.models.roi_heads.foreground_bbox_heads',
    'mmlt.models.roi_heads.roi_feature_head',
    'mmlt.models.size_shares',
    'mmlt.models.stitching',
}
DETECTION_TOOLS = {
    'analysis_tools/per_class_ap.py',
    'benchmarks/count_classes.py',
    'benchmarks/large_report.py',
    'benchmarks/loss_share_step.py',
    'benchmarks/lvis_api.py',
    'benchmarks/lvis_eval.py',
    'dataset_converters/roi_features.py',
}


def run_light(folder, code, *arguments):
    """Run code in a process, in the folder; return what it printed."""
    block = f'import sys; sys.modules.update(dict.fromkeys({MISSING}))\n'
    done = subprocess.run(
        [sys.executable, '-c', block + code, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, 'CUDA_VISIBLE_DEVICES': ''},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def call_light(folder, function, *arguments):
    """Call a function, one that needs no other, in such a process."""
    code = (
        f'import json\n{inspect.getsource(function)}\n'
        f'result = {function.__name__}(*sys.argv[1:])\n'
        "open('result.json', 'w').write(json.dumps(result))\n"
    )
    run_light(folder, code, *arguments)
    return json.loads((folder / 'result.json').read_text())


def failing_modules():
    """The modules of mmlt that cannot be imported, and what they lack."""
    import importlib
    import pkgutil

    import mmlt

    errors = {}
    # A package that fails is in the errors; it is not walked into.
    for module in pkgutil.walk_packages(mmlt.__path__, 'mmlt.', errors.get):
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            errors[module.name] = error.name or str(error)
    return errors


def test_all_but_detection_is_imported(tmp_path):
    errors = call_light(tmp_path, failing_modules)
    assert set(errors) == DETECTION_MODULES, errors
    assert all(lacks.startswith(MISSING) for lacks in errors.values())


def registered_types():
    """The types of mmlt as `REGISTRY.Type`; each one can be had."""
    from mmlt import registry

    types = []
    for name, ours in vars(registry).items():
        if isinstance(ours, registry.Registry):
            ours.import_from_location()
            for key, found in ours.module_dict.items():
                if found.__module__.startswith('mmlt.'):
                    types.append(f'{name}.{key}')
                    # As MMEngine finds it.
                    assert ours.parent.get(f'mmlt.{key}') is found
    return types


def test_all_but_detection_is_registered(tmp_path):
    light = call_light(tmp_path, registered_types)
    missing = {*registered_types()} - {*light}
    assert {name.split('.')[1] for name in missing} == {*DETECTION_TYPES}
    assert len(missing) == len(DETECTION_TYPES)


def errors_of_types(*types):
    """What is raised where they are looked up, and where they are built."""
    from mmengine import registry

    errors = []
    for registry_name, name in (type_.split('.') for type_ in types):
        for do in ('get', 'build'):
            try:
                if do == 'get':
                    getattr(registry, registry_name).get(f'mmlt.{name}')
                else:
                    getattr(registry, registry_name).build(
                        dict(type=f'mmlt.{name}', ann_file='x.json')
                    )
            except ImportError as error:
                errors.append(str(error))
    return errors


def test_detection_says_what_to_install(tmp_path):
    types = (
        'MODELS.BAGSBBoxHead',
        'DATASETS.FashionScenes',
        'HOOKS.LossShareHook',
        'HOOKS.StitcherHook',
        'METRICS.LVISMetric',
        'METRICS.ShotCocoMetric',
        'MODELS.NCMBBoxHead',
        'MODELS.RoIFeatureHead',
        'MODELS.TauNormBBoxHead',
    )
    assert {name.split('.')[1] for name in types} == {*DETECTION_TYPES}
    errors = call_light(tmp_path, errors_of_types, *types)
    assert len(errors) == 2 * len(types)
    for name, error in zip(np.repeat(types, 2), errors, strict=True):
        assert f'mmlt.{name.split(".")[1]} needs MMDetection' in error
        assert "pip install 'mmlt[detection]'" in error
        assert 'mmlt[onedl-detection]' in error


def failing_tools(folder):
    """The scripts below the folder whose --help fails, and why."""
    import contextlib
    import io
    import runpy
    import sys
    from pathlib import Path

    errors = {}
    for path in sorted(Path(folder).rglob('*.py')):
        # As for a script that is run, so that it finds what lies beside it.
        sys.path[0] = str(path.parent)
        sys.argv = [str(path), '--help']
        printed = io.StringIO()
        name = path.relative_to(folder).as_posix()
        try:
            with contextlib.redirect_stdout(printed):
                runpy.run_path(str(path), run_name='__main__')
        except SystemExit as end:
            # onedl-mmpretrain prints a line when it is imported.
            if end.code or '\nusage: ' not in f'\n{printed.getvalue()}':
                errors[name] = f'{end.code}: {printed.getvalue()}'
        except Exception as error:
            errors[name] = getattr(error, 'name', None) or repr(error)
    return errors


def test_all_but_detection_tools_start(tmp_path):
    errors = call_light(tmp_path, failing_tools, TOOLS)
    assert set(errors) == DETECTION_TOOLS, errors
    assert all(lacks.startswith(MISSING) for lacks in errors.values())


@pytest.fixture
def data(tmp_path, write_idx):
    """Images of Fashion-MNIST and features of Fashion-Scenes."""
    folder = tmp_path / 'data' / 'fashion_mnist'
    for split in ('train', 'test'):
        write_idx(folder, split, [k % 10 for k in range(40)])
    folder = tmp_path / 'data' / 'fashion_scenes_multi_label'
    (folder / 'annotations').mkdir(parents=True)
    names = [f'{k}.jpg' for k in range(60)]
    content = dict(
        images=[dict(id=k, file_name=name) for k, name in enumerate(names)],
        # Image k has the classes k and 59 - k.
        annotations=[
            dict(image_id=k, category_id=label)
            for k in range(60)
            for label in (k, 59 - k)
        ],
        categories=[dict(id=k, name=str(k)) for k in range(60)],
    )
    for split in ('train', 'val'):
        path = folder / 'annotations' / f'fashion_scenes_{split}.json'
        path.write_text(json.dumps(content))
        np.savez(
            folder / f'features_{split}.npz',
            names=np.array(names),
            features=np.random.default_rng(0).standard_normal((60, 1280)),
        )
    return tmp_path


@pytest.mark.parametrize(
    ('config', 'measure', 'option'),
    [
        (
            'logit_adjustment/'
            'logit-adjusted_resnet14-small_4e_fashion-mnist-lt-if100.py',
            'accuracy/balanced',
            'train_dataloader.dataset.imbalance_factor=4',
        ),
        (
            'db_loss/db-focal_lite0-pfc_8e_fashion-scenes.py',
            'multi-label/mAP',
            'optim_wrapper.optimizer.lr=0.01',
        ),
    ],
)
def test_trains_and_tests(data, config, measure, option):
    tool = (
        'import runpy\ndel sys.argv[0]\n'
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    splits = ('train', 'val', 'test')
    options = (
        *('--work-dir', 'out', '--cfg-options', 'train_cfg.max_epochs=2'),
        *('train_dataloader.batch_size=16', option),
        *(f'{split}_dataloader.num_workers=0' for split in splits),
    )
    path = CONFIGS / config
    text = run_light(data, tool, TOOLS / 'train.py', path, *options)
    assert measure in text
    checkpoint = data / 'out' / 'epoch_2.pth'
    assert checkpoint.is_file()
    text = run_light(
        *(data, tool, TOOLS / 'test.py', path, checkpoint, *options)
    )
    assert measure in text
