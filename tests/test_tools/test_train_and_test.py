"""The tools in a terminal, on Fashion-MNIST of a few random images."""

import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.device import get_device

import mmlt
from mmlt.engine import launch
from mmlt.engine.hooks import CheckRunHook

TOOLS = Path(__file__).parents[2] / 'tools'
CONFIG = (
    Path(mmlt.__file__).parent
    / '.mim/configs/logit_adjustment'
    / 'logit-adjusted_resnet14-small_4e_fashion-mnist-lt-if100.py'
)
OPTIONS = (
    '--cfg-options',
    'train_cfg.max_epochs=2',
    'train_cfg.val_interval=1',
    'train_dataloader.batch_size=16',
    'train_dataloader.num_workers=0',
    'test_dataloader.num_workers=0',
    'train_dataloader.dataset.imbalance_factor=5',
    'default_hooks.logger.interval=2',
    'randomness.seed=0',
)
NUM_TEST = 31  # odd: 2 processes get shares of 16, one image twice


def run(folder, *command, fails=False):
    """Run a command in a folder; return what it printed."""
    # `python` of the shell scripts must be this one.
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, 'PATH': path, 'CUDA_VISIBLE_DEVICES': ''},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    assert (done.returncode != 0) == fails, done.stdout
    return done.stdout


@pytest.fixture(scope='module')
def folder(tmp_path_factory, write_idx):
    """A working folder with data, and two epochs trained."""
    folder = tmp_path_factory.mktemp('tools')
    data = folder / 'data' / 'fashion_mnist'
    write_idx(data, 'train', [k % 10 for k in range(100)])
    write_idx(data, 'test', [k % 10 for k in range(NUM_TEST)])
    text = run(
        folder,
        *(sys.executable, TOOLS / 'train.py', CONFIG, *OPTIONS),
        'visualizer.vis_backends.0.type=TensorboardVisBackend',
    )
    (folder / 'train.txt').write_text(text)
    return folder


@pytest.fixture(scope='module')
def work_dir(folder):
    return folder / 'work_dirs' / CONFIG.stem


def test_train_writes_the_usual_things(folder, work_dir):
    text = (folder / 'train.txt').read_text()
    assert 'Epoch(train) [2][2/' in text
    assert 'accuracy/balanced' in text
    assert (work_dir / 'epoch_2.pth').is_file()
    assert (work_dir / CONFIG.name).is_file()
    assert list(work_dir.glob('*/vis_data/events.out.tfevents.*'))


def test_train_resumes_the_latest_checkpoint(folder, work_dir):
    """The checkpoint, of the installed stack, loads as weights only."""
    command = (sys.executable, TOOLS / 'train.py', CONFIG, '--resume')
    text = run(folder, *command, *OPTIONS, 'train_cfg.max_epochs=3')
    assert 'resumed epoch: 2' in text
    assert 'Epoch(train) [3][2/' in text
    assert 'Epoch(train) [2][2/' not in text
    assert (work_dir / 'epoch_3.pth').is_file()


def test_test_dumps_predictions_and_logits(folder, work_dir):
    text = run(
        folder,
        *(sys.executable, TOOLS / 'test.py', CONFIG, work_dir / 'epoch_2.pth'),
        *('--out', 'predictions.pkl', '--dump-logits', 'dump/logits.pt'),
        *OPTIONS,
    )
    assert 'accuracy/balanced' in text
    predictions = pickle.loads((folder / 'predictions.pkl').read_bytes())
    dump = torch.load(folder / 'dump/logits.pt', weights_only=True)
    assert dump['split'] == 'test'
    assert dump['sample_idx'].tolist() == list(range(NUM_TEST))
    assert dump['labels'].tolist() == [k % 10 for k in range(NUM_TEST)]
    torch.testing.assert_close(
        dump['logits'].softmax(dim=1),
        torch.stack([sample['pred_score'] for sample in predictions]),
    )


def test_two_processes_without_a_gpu(folder, work_dir, monkeypatch):
    monkeypatch.setenv('PORT', str(20000 + os.getpid() % 10000))
    options = (*OPTIONS, 'train_dataloader.batch_size=8')
    text = run(
        folder,
        *(TOOLS / 'dist_train.sh', CONFIG, 2, '--work-dir', 'two', *options),
    )
    assert 'Distributed training: True' in text
    assert 'GPU number: 2' in text
    one, two = (
        torch.load(path / 'epoch_2.pth', map_location='cpu')['meta']
        for path in (work_dir, folder / 'two')
    )
    assert two['iter'] == one['iter']
    assert two['class_stats'] == one['class_stats']
    run(
        folder,
        *(TOOLS / 'dist_test.sh', CONFIG, 'two/epoch_2.pth', 2),
        *('--dump-logits', 'two.pt', *OPTIONS),
    )
    dump = torch.load(folder / 'two.pt', weights_only=True)
    assert dump['sample_idx'].tolist() == list(range(NUM_TEST))


def test_print_config_merges_bases_and_options(folder):
    text = run(
        folder,
        *(sys.executable, TOOLS / 'analysis_tools/print_config.py', CONFIG),
        *('--out', 'whole.py', '--cfg-options', 'model.head.loss.tau=0.25'),
    )
    assert 'imbalance_factor=100' in text
    cfg = Config.fromfile(folder / 'whole.py')
    assert cfg.model.head.loss.tau == 0.25
    assert cfg.train_cfg.max_epochs == 4


@pytest.fixture
def parse(monkeypatch, run_tool, tmp_path):
    """Run a tool up to the point where it has its config."""

    def parse(tool, *arguments):
        configs = []

        class Runner:
            def __init__(self, cfg):
                configs.append(cfg)

            def train(self):
                pass

            test = train

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(launch, 'build_runner', Runner)
        run_tool(tool, CONFIG, *arguments)
        return configs[0]

    return parse


def test_defaults_of_train(parse):
    cfg = parse('train.py')
    assert Path(cfg.work_dir) == Path('work_dirs', CONFIG.stem)
    assert not cfg.resume
    assert cfg.val_cfg is not None
    assert not cfg.auto_scale_lr.get('enable', False)
    assert cfg.launcher == 'none'


def test_options_of_train(parse, monkeypatch):
    monkeypatch.setattr('mmengine.device.get_device', lambda: 'cuda')
    cfg = parse(
        'train.py',
        *('--work-dir', 'here', '--resume', 'x.pth', '--amp'),
        *('--no-validate', '--auto-scale-lr', '--local-rank', 1),
        *('--cfg-options', 'optim_wrapper.optimizer.lr=0.5'),
    )
    assert cfg.work_dir == 'here'
    assert (cfg.resume, cfg.load_from) == (True, 'x.pth')
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.loss_scale == 'dynamic'
    assert cfg.optim_wrapper.optimizer.lr == 0.5
    assert cfg.val_cfg is cfg.val_dataloader is cfg.val_evaluator is None
    assert cfg.auto_scale_lr.enable


@pytest.fixture
def start(parse, tmp_path, monkeypatch):
    """What training starts from, and what was said of it."""

    def start(*arguments, options=()):
        said = []
        monkeypatch.setattr(
            launch, 'print_log', lambda text, **kwargs: said.append(text)
        )
        cfg = parse(
            'train.py',
            *('--work-dir', tmp_path / 'work', *arguments),
            *('--cfg-options', 'load_from=first.pth', *options),
        )
        return cfg.get('resume', False), cfg.load_from, said

    return start


RESUME = [
    dict(arguments=('--resume',)),
    dict(options=('resume=True',)),
    dict(arguments=('--resume',), options=('resume=True',)),
]


@pytest.mark.parametrize('way', RESUME)
def test_nothing_to_resume_loads_the_first_stage(start, way):
    way = {'arguments': (), 'options': (), **way}
    *how, (said,) = start(*way['arguments'], options=way['options'])
    assert how == [False, 'first.pth']
    assert said.startswith('Nothing was resumed')
    assert "weights of load_from='first.pth'" in said


@pytest.mark.parametrize('noted', [True, False])
@pytest.mark.parametrize('way', RESUME)
def test_resume_takes_the_latest(start, way, noted, tmp_path):
    """Also if a run was killed before it noted its first checkpoint."""
    way = {'arguments': (), 'options': (), **way}
    work = tmp_path / 'work'
    work.mkdir()
    for name in ('best_accuracy_epoch_2.pth', 'epoch_1.pth'):
        torch.save({}, work / name)
    if noted:
        (work / 'last_checkpoint').write_text(str(work / 'epoch_1.pth'))
    assert start(*way['arguments'], options=way['options']) == (
        True, str(work / 'epoch_1.pth'), []
    )  # fmt: skip


def test_resume_takes_the_given_file(start):
    assert start('--resume', 'x.pth') == (True, 'x.pth', [])
    assert start() == (False, 'first.pth', [])


def test_test_resumes_nothing(parse):
    cfg = parse('test.py', 'x.pth', '--cfg-options', 'resume=True')
    assert (cfg.resume, cfg.load_from) == (False, 'x.pth')


def damaged(kind):
    """Bytes of a damaged checkpoint."""
    buffer = io.BytesIO()
    torch.save({'state_dict': {'weight': torch.zeros(1000)}}, buffer)
    whole = buffer.getvalue()
    return dict(empty=b'', cut=whole[: len(whole) // 2], text=b'epoch 12')[
        kind
    ]


DAMAGE = dict(
    empty='is empty', cut='is cut off', text=r'is no file of torch\.save'
)


@pytest.mark.parametrize('kind', DAMAGE)
@pytest.mark.parametrize('tool', ['resume', 'load', 'test'])
def test_a_damaged_checkpoint_names_an_intact_one(tmp_path, kind, tool):
    cfg = launch.load_config(CONFIG, work_dir=str(tmp_path))
    path = tmp_path / 'epoch_3.pth'
    path.write_bytes(damaged(kind))
    (tmp_path / 'last_checkpoint').write_text(str(path))
    if tool == 'resume':
        launch.choose_start(cfg, 'auto')
    else:
        cfg.load_from = str(path)
    with pytest.raises(ValueError, match=DAMAGE[kind]) as error:
        launch.build_runner(cfg)
    assert f'checkpoint {str(path)!r}' in str(error.value)
    assert 'holds no intact one' in str(error.value)
    for epoch in (1, 2):
        torch.save({}, tmp_path / f'epoch_{epoch}.pth')
        os.utime(tmp_path / f'epoch_{epoch}.pth', (epoch, epoch))
    with pytest.raises(ValueError, match=DAMAGE[kind]) as error:
        launch.build_runner(cfg)
    newest = str(tmp_path / 'epoch_2.pth')
    assert f'is {newest!r}' in str(error.value)
    assert (f'--resume {newest}' in str(error.value)) == (tool == 'resume')


def test_a_missing_checkpoint_to_resume_is_named(tmp_path):
    cfg = launch.load_config(CONFIG, work_dir=str(tmp_path))
    launch.choose_start(cfg, 'x.pth')
    with pytest.raises(FileNotFoundError, match=r"'x\.pth' does not exist"):
        launch.build_runner(cfg)


def test_a_resumed_run_has_the_seed_that_was_drawn(tmp_path):
    path = tmp_path / 'epoch_1.pth'
    torch.save({'meta': {'seed': 17}}, path)
    cfg = launch.load_config(CONFIG, work_dir=str(tmp_path))
    launch.choose_start(cfg, 'auto')
    assert launch.build_runner(cfg).seed == 17


def test_none_takes_out_a_hook(tmp_path):
    options = {
        f'default_hooks.{name}': None
        for name in ('class_stats', 'random_state', 'timer', 'visualization')
    }
    cfg = launch.load_config(CONFIG, options, str(tmp_path))
    hooks = launch.build_runner(cfg).hooks
    names = {type(hook).__name__ for hook in hooks}
    assert 'CheckpointHook' in names
    assert not names & {
        'ClassStatsHook', 'RandomStateHook', 'IterTimerHook',
        'VisualizationHook',
    }  # fmt: skip


def test_bilateral_batches_need_bbn(parse):
    sampler = 'train_dataloader.batch_sampler.type=mmlt.BilateralBatchSampler'
    with pytest.raises(ValueError, match=r'use model=.*mmlt\.BBNClassifier'):
        parse('train.py', '--cfg-options', sampler)
    parse(
        'train.py',
        *('--cfg-options', sampler, 'model.type=mmlt.BBNClassifier'),
    )


@pytest.mark.parametrize('hook', ['mmlt.ClassStatsHook', None])
def test_runs_are_checked_without_any_hook_of_ours(tmp_path, hook):
    options = {'default_hooks.class_stats': hook and dict(type=hook)}
    cfg = launch.load_config(CONFIG, options, str(tmp_path))
    runner = launch.build_runner(cfg)
    assert sum(isinstance(hook, CheckRunHook) for hook in runner.hooks) == 1


def test_statistics_are_missed_before_the_first_step(folder):
    """Without ClassStatsHook, the metric has none."""
    text = run(
        folder,
        *(sys.executable, TOOLS / 'train.py', CONFIG, '--work-dir', 'none'),
        *(*OPTIONS, 'default_hooks.class_stats=None'),
        'model.head.loss.type=CrossEntropyLoss',
        fails=True,
    )
    assert 'ValueError: ShotAccuracy has no class statistics' in text
    assert 'Epoch(train)' not in text


def test_split_of_test(parse):
    options = ('x.pth', '--dump-logits', 'x.pt')
    assert parse('test.py', *options).test_evaluator[-1].split == 'test'
    other = '--cfg-options', 'test_dataloader.dataset.split=train'
    cfg = parse('test.py', *options, *other)
    assert cfg.test_evaluator[-1].split == 'train'
    cfg = parse('test.py', *options, '--split', 'val')
    assert cfg.test_evaluator[-1].split == 'val'


@pytest.mark.parametrize(
    ('dataset', 'split'),
    [
        (dict(split='train'), 'train'),
        (dict(), 'test'),
        (dict(held_out=True, dataset=dict()), 'train'),
        (dict(held_out=False, dataset=dict()), 'test'),
        (dict(dataset=dict(held_out=True, dataset=dict())), 'train'),
        (dict(held_out=True, dataset=dict(dataset=dict())), 'train'),
        # Held out of the test set, for whatever reason.
        (dict(held_out=True, dataset=dict(split='test')), 'test'),
    ],
)
def test_split_of_wrappers(load_tool, dataset, split):
    assert load_tool('test.py').split_of(dataset) == split


def test_train_refuses_amp_without_a_gpu(parse, monkeypatch):
    monkeypatch.setattr('mmengine.device.get_device', lambda: 'cpu')
    with pytest.raises(ValueError, match='--amp needs a GPU'):
        parse('train.py', '--amp')


def test_train_refuses_to_scale_from_nothing(parse):
    with pytest.raises(ValueError, match='base_batch_size'):
        parse(
            'train.py',
            *('--auto-scale-lr', '--cfg-options', 'auto_scale_lr={}'),
        )


@pytest.mark.skipif(get_device() != 'cpu', reason='for machines without GPU')
def test_only_pytorch_launches_without_a_gpu():
    cfg = launch.load_config(CONFIG, launcher='slurm')
    with pytest.raises(ValueError, match="launcher='slurm' needs a GPU"):
        launch.build_runner(cfg)


def test_dataloaders_of_mmpretrain_are_completed(tmp_path):
    """As MMPretrain's own tool does, but without workers to persist."""
    path = tmp_path / 'plain.py'
    path.write_text(
        "default_scope = 'mmpretrain'\n"
        'train_dataloader = dict(num_workers=2)\n'
        'val_dataloader = dict(num_workers=0, persistent_workers=True)\n'
    )
    cfg = launch.load_config(path)
    assert cfg.train_dataloader.collate_fn == dict(type='default_collate')
    assert cfg.train_dataloader.persistent_workers
    assert not cfg.val_dataloader.persistent_workers


@pytest.mark.parametrize(
    'script',
    ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh', 'slurm_test.sh'],
)
def test_scripts_explain_themselves(tmp_path, script):
    text = run(tmp_path, TOOLS / script, fails=True)
    assert f'tools/{script} ' in text


@pytest.mark.parametrize('tool', ['train', 'test'])
def test_slurm_scripts_call_srun(tmp_path, tool):
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)
    path = f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'
    checkpoint = ['a b.pth'] if tool == 'test' else []
    lines = run(
        tmp_path,
        *('env', f'PATH={path}', 'GPUS=4', 'GPUS_PER_NODE=2'),
        *('SRUN_ARGS=--qos low', TOOLS / f'slurm_{tool}.sh', 'part', 'job'),
        *('a b.py', *checkpoint, '--cfg-options', 'x=1'),
    ).splitlines()
    assert lines[:5] == [
        '--partition=part', '--job-name=job', '--gres=gpu:2',
        '--ntasks=4', '--ntasks-per-node=2',
    ]  # fmt: skip
    script = lines.index(f'{TOOLS}/{tool}.py')
    assert lines[script - 4 : script] == ['--qos', 'low', 'python', '-u']
    assert lines[script + 1 :] == [
        'a b.py', *checkpoint, '--launcher', 'slurm', '--cfg-options', 'x=1',
    ]  # fmt: skip
