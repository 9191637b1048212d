"""tools/analysis_tools/sweep_tau.py on files that mmlt writes."""

import json
import re

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample

from mmlt.class_stats import ClassStats
from mmlt.evaluation.metrics import DumpLogits

COUNT = [500, 60, 8]


def write_logits(path, split='train', n=900):
    """Of a Bayes classifier: the best tau is 1."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % 3
    x = torch.nn.functional.one_hot(labels, 3) * 2.0
    x += torch.randn(n, 3, generator=generator)
    logits = 2 * x + torch.tensor(COUNT).log()
    dump = DumpLogits(str(path), split)
    scores = logits.softmax(1)
    for i in range(n):
        sample = DataSample(metainfo=dict(sample_idx=i))
        sample.set_gt_label(labels[i]).set_pred_score(scores[i])
        dump.process(None, [sample.to_dict()])
    dump.evaluate(n)


@pytest.fixture
def files(tmp_path):
    write_logits(tmp_path / 'logits.pt')
    ClassStats.single_label(COUNT).to_json(tmp_path / 'stats.json')
    return tmp_path


@pytest.fixture
def run(load_tool):
    """Sweep over the files in a folder; return what the JSON holds."""
    tool = load_tool('analysis_tools/sweep_tau.py')

    def run(folder, *arguments, stats='stats.json', logits='logits.pt'):
        tool.main(
            [
                str(folder / logits),
                '--class-stats',
                str(folder / stats),
                '--out',
                str(folder / 'out'),
                *arguments,
            ]
        )
        return json.loads((folder / 'out' / 'tau_sweep.json').read_text())

    return run


def test_table_curve_and_choice(run, files, capsys):
    result = run(files)
    assert result['best_tau'] == pytest.approx(1.0, abs=0.25)
    assert len(result['taus']) == 41
    assert max(result['balanced']) > result['balanced'][0] + 5
    out = capsys.readouterr().out
    assert f'Best tau: {result["best_tau"]:.4g}' in out
    for column in ('tau', 'balanced', 'many', 'medium', 'few', 'overall'):
        assert column in out
    assert f'{max(result["balanced"]):.2f}' in out
    assert 'Note' not in out
    assert (files / 'out' / 'tau_sweep.png').stat().st_size > 5000


def test_taus_and_groups_of_the_command_line(run, files, capsys):
    result = run(
        files,
        *('--taus', '0', '0.2', '3'),
        *('--thresholds', '100', '--group-names', 'rare', 'common'),
    )
    assert result['taus'] == pytest.approx([0, 0.1, 0.2])
    assert {'rare', 'common'} < set(result)
    assert 'few' not in result
    # The best of them is the last.
    assert 'widen --taus' in capsys.readouterr().out


def test_classes_without_held_out_samples_are_mentioned(run, files, capsys):
    dump = torch.load(files / 'logits.pt')
    keep = dump['labels'] < 2
    dump.update(logits=dump['logits'][keep], labels=dump['labels'][keep])
    torch.save(dump, files / 'logits.pt')
    result = run(files)
    assert 'few' not in result
    assert '1 of 3 classes have no held-out' in capsys.readouterr().out


def test_stats_of_a_checkpoint(run, files):
    stats = ClassStats.single_label(COUNT).to_dict()
    checkpoint = dict(meta=dict(class_stats=stats), state_dict={})
    torch.save(checkpoint, files / 'epoch_1.pth')
    assert run(files, stats='epoch_1.pth') == run(files)
    torch.save(dict(meta={}, state_dict={}), files / 'epoch_1.pth')
    with pytest.raises(ValueError, match=r'class_stats.*holds none.*JSON'):
        run(files, stats='epoch_1.pth')


@pytest.mark.parametrize(
    ('meta', 'what'),
    [
        (
            dict(
                cfg='tau = 0\nmodel = dict(head=dict(loss=dict(tau=1.0, '
                "type='mmlt.LogitAdjustedLoss')))"
            ),
            'has had mmlt.LogitAdjustedLoss',
        ),
        (
            dict(cfg="model = dict(loss=[dict(type='PairwiseMarginLoss')])"),
            'has had PairwiseMarginLoss',
        ),
        (
            dict(
                classifier_edits=[dict(type='mmlt.LogitAdjustment', tau=1.0)]
            ),
            'has had mmlt.LogitAdjustment',
        ),
    ],
)
def test_adjusted_logits_are_refused(run, files, meta, what):
    meta['class_stats'] = ClassStats.single_label(COUNT).to_dict()
    torch.save(dict(meta=meta, state_dict={}), files / 'epoch_1.pth')
    with pytest.raises(ValueError, match=rf'epoch_1\.pth. {what}.*plain'):
        run(files, stats='epoch_1.pth')
    assert not (files / 'out').exists()


@pytest.mark.parametrize('name', ['LogitAdjustment', 'LogitAdjustedLoss'])
def test_logits_that_say_they_are_adjusted(run, files, name):
    """With statistics in a JSON, there is no checkpoint to ask."""
    dump = torch.load(files / 'logits.pt')
    dump['applied'] = [dict(type='mmlt.TauNorm'), dict(type=f'mmlt.{name}')]
    torch.save(dump, files / 'logits.pt')
    with pytest.raises(ValueError, match=rf'logits\.pt. has had mmlt.{name}'):
        run(files)
    assert not (files / 'out').exists()


def test_logits_that_say_nothing_of_it(run, files, capsys):
    run(files)
    assert 'does not say whether its logits are' in capsys.readouterr().out
    dump = torch.load(files / 'logits.pt')
    dump['applied'] = [dict(type='mmlt.TauNorm', tau=1.0)]
    torch.save(dump, files / 'logits.pt')
    run(files)
    assert 'does not say' not in capsys.readouterr().out


def test_names_of_the_classes_are_compared(run, files):
    expected = run(files)
    dump = torch.load(files / 'logits.pt')
    dump['classes'] = ['ant', 'bee', 'cat']
    torch.save(dump, files / 'logits.pt')
    names = ['cat', 'ant', 'bee']
    shuffled = ClassStats.single_label([COUNT[2], *COUNT[:2]], names)
    shuffled.to_json(files / 'stats.json')
    assert run(files) == expected
    other = ClassStats.single_label(COUNT, ['ant', 'bee', 'dog'])
    other.to_json(files / 'stats.json')
    with pytest.raises(ValueError, match="held-out data: class 2 is 'dog' ag"):
        run(files)


@pytest.mark.parametrize(
    'cfg',
    [
        "model = dict(loss=dict(type='mmlt.LogitAdjustedLoss', tau=0.0))",
        "model = dict(type='mmlt.PairwiseMarginLoss', preset='adaptive')",
        # Of another run that the config mentions.
        "model = dict(type='x')\nloss = dict(type='mmlt.LogitAdjustedLoss')",
        # Read, not run.
        "raise SystemExit\nmodel = dict(loss=dict(type='CrossEntropyLoss'))",
        'model = dict(',
    ],
)
def test_other_losses_are_not(run, files, cfg):
    stats = ClassStats.single_label(COUNT).to_dict()
    edits = [dict(type='mmlt.TauNorm', tau=1.0)]
    meta = dict(class_stats=stats, cfg=cfg, classifier_edits=edits)
    torch.save(dict(meta=meta, state_dict={}), files / 'epoch_1.pth')
    assert run(files, stats='epoch_1.pth')['best_tau'] > 0


@pytest.mark.parametrize(
    ('taus', 'shown'),
    [
        ('0 2 41', ['0', '0.15', '0.9', '1']),
        ('0 20 100', ['0', '1']),
        ('0.3 1.2 4', ['0.3', '0.6', '0.9', '1', '1.2']),
        ('1 3 2', ['1', '3']),
    ],
)
def test_the_table_holds_1(run, files, capsys, taus, shown):
    result = run(files, '--taus', *taus.split())
    assert np.isclose(result['taus'], 1).sum() == 1
    assert result['taus'] == sorted(result['taus'])
    rows = re.findall(r'^│ +([\d.]+) │', capsys.readouterr().out, re.M)
    assert set(shown) <= set(rows)
    assert len(rows) <= 24


@pytest.mark.parametrize('split', ['test', 'test_A'])
def test_the_test_split_is_refused(run, files, split):
    write_logits(files / 'logits.pt', split)
    with pytest.raises(ValueError, match=r'hold out .*KFoldDataset'):
        run(files)
    with pytest.raises(ValueError, match=r'HoldOutDataset.*--split train'):
        run(files)
    assert not (files / 'out').exists()


def test_other_files_are_refused(run, files):
    with pytest.raises(FileNotFoundError, match=r'logits: no file .*no\.pt'):
        run(files, logits='no.pt')
    with pytest.raises(FileNotFoundError, match=r'class_stats: no file'):
        run(files, stats='no.json')
    (files / 'bad.pt').write_text('no tensors')
    with pytest.raises(ValueError, match=r'logits: .*bad\.pt. cannot be read'):
        run(files, logits='bad.pt')
    torch.save(torch.zeros(3), files / 'bad.pt')
    with pytest.raises(ValueError, match='holds a Tensor'):
        run(files, logits='bad.pt')
    dump = torch.load(files / 'logits.pt')
    del dump['split']
    torch.save(dump, files / 'bad.pt')
    with pytest.raises(ValueError, match=r"lacks \['split'\]; write it with"):
        run(files, logits='bad.pt')


@pytest.mark.parametrize(
    'taus', ['0 2 0', '0 2 1.5', '2 0 3', 'nan 2 3', '0 inf 3']
)
def test_bad_taus(run, files, taus):
    with pytest.raises(ValueError, match='taus must be a finite START'):
        run(files, '--taus', *taus.split())


def test_zero_counts(run, files):
    ClassStats.single_label([500, 60, 0]).to_json(files / 'stats.json')
    with pytest.raises(ValueError, match="zero_count='one'"):
        run(files)
    result = run(files, '--zero-count', 'one')
    assert result['best_tau'] > 0
