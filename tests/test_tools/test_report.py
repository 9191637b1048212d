"""The report, from a config and runs to a page in a browser."""

import fcntl
import json
import os
import shutil
import subprocess

import cv2
import numpy as np
import pytest
import torch

CONFIG = """
default_scope = 'mmpretrain'
train_dataloader = dict(
    dataset=dict(
        type='CustomDataset',
        data_prefix={folder!r},
        metainfo=dict(classes=['ant', 'bee', 'cat<b>', 'dog'])))
test_evaluator = dict(type='mmlt.ShotAccuracy', thresholds=(3, 20))
"""
CLASSES = ['ant', 'bee', 'cat<b>', 'dog']
CHROMIUM = next(
    filter(None, map(shutil.which, ('chromium', 'chromium-browser'))), None
)


@pytest.fixture
def config(tmp_path):
    """Of a folder with 25 ants, 4 bees, 2 cats and a dog."""
    image = np.zeros((2, 2, 3), dtype=np.uint8)
    for name, count in zip(CLASSES, (25, 4, 2, 1), strict=True):
        folder = tmp_path / 'images' / name
        folder.mkdir(parents=True)
        for index in range(count):
            cv2.imwrite(str(folder / f'{index}.png'), image)
    path = tmp_path / 'config.py'
    path.write_text(CONFIG.format(folder=str(tmp_path / 'images')))
    return path


def dump(path, predicted, split='test', **changes):
    """Logits of two images of each class, confident by 0.7 of 1."""
    labels = torch.arange(8) // 2
    logits = torch.full((8, 4), 0.1).log()
    logits[torch.arange(8), torch.tensor(predicted)] = np.log(0.7)
    path.parent.mkdir(exist_ok=True)
    content = dict(
        logits=logits,
        labels=labels,
        sample_idx=torch.arange(8),
        split=split,
        classes=CLASSES,
        applied=[],
    )
    torch.save({**content, **changes}, path)


def save_checkpoint(path, **changes):
    weight = torch.diag(torch.tensor([4.0, 3, 2, 1]))
    meta = dict(dataset_meta=dict(classes=CLASSES), **changes)
    torch.save(dict(state_dict={'head.fc.weight': weight}, meta=meta), path)


@pytest.fixture
def runs(tmp_path):
    """Two work_dirs, of which the first one has all that there can be."""
    first, second = tmp_path / 'first', tmp_path / 'second'
    dump(first / 'test.pt', [0, 0, 1, 0, 0, 0, 3, 0])
    dump(first / 'held_out.pt', [0, 0, 1, 0, 0, 0, 3, 0], split='train')
    save_checkpoint(first / 'epoch_2.pth')
    dump(second / 'test.pt', [0, 1, 1, 1, 2, 0, 3, 3])
    return first, second


def make(run_tool, tmp_path, *arguments):
    out = tmp_path / 'new' / 'report.html'
    run_tool('report.py', *arguments, '--out', out)
    return out, json.loads(out.with_suffix('.json').read_text())


def test_numbers_beside_the_page(config, runs, run_tool, tmp_path, capsys):
    first, second = runs
    out, facts = make(run_tool, tmp_path, config, first, f'B={second}')
    assert '32 images, 32 labels, 4 classes' in capsys.readouterr().out
    assert (facts['imbalance_factor'], facts['task']) == (25, 'single-label')
    assert [group['images'] for group in facts['groups']] == [25, 4, 3]
    a, b = facts['runs']
    assert (a['name'], b['name']) == ('first', 'B')
    assert a['scores'] == [100, 50, 0, 50]
    assert b['gain'] == [-50, 50, 50, 50]
    assert a['summary'] == dict(balanced=50, many=100, medium=50, few=25)
    assert a['norms']['head.fc']['norm'] == [4, 3, 2, 1]
    # Half are right, each with a confidence of 0.7.
    assert list(a['calibration']) == ['all', 'many', 'medium', 'few']
    assert a['calibration']['all']['ece'] == pytest.approx(20, abs=1e-3)
    assert a['tau']['balanced'][0] == 50
    assert a['missing'] == []
    assert [text.split(':')[0] for text in b['missing']] == [
        'norms of the classifier',
        'the curve of tau',
    ]
    page = out.read_text()
    assert 'cat&lt;b&gt;' in page
    assert 'cat<b>' not in page
    assert page.count('<svg') == 5


def test_a_folder_of_images_needs_no_config(
    config, run_tool, tmp_path, monkeypatch
):
    """As docs/get_started.md prints it."""
    images, mine = tmp_path / 'images', tmp_path / 'data' / 'mine'
    mine.mkdir(parents=True)
    images.rename(mine / 'train')
    monkeypatch.chdir(tmp_path)
    _, facts = make(run_tool, tmp_path, 'ce_resnet50_10e_folder.py')
    assert facts['num_classes'] == 4
    assert [group['images'] for group in facts['groups']] == [0, 25, 7]


def test_nothing_is_overwritten(config, run_tool, tmp_path, capsys):
    out, _ = make(run_tool, tmp_path, config)
    out.write_text('mine')
    with pytest.raises(SystemExit):
        make(run_tool, tmp_path, config)
    assert '--force overwrites it' in capsys.readouterr().err
    assert out.read_text() == 'mine'
    make(run_tool, tmp_path, config, '--force')
    assert out.read_text().startswith('<!DOCTYPE html>')


def test_an_empty_work_dir_says_what_is_missing(config, run_tool, tmp_path):
    empty = tmp_path / 'empty'
    empty.mkdir()
    out, facts = make(run_tool, tmp_path, config, empty)
    (run,) = facts['runs']
    for part in ('has no checkpoint', '--dump-logits', 'held-out'):
        assert sum(part in text for text in run['missing']) == 1
        assert part in out.read_text()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(classes=['ant', 'bee', 'dog', 'cat']), 'other class names'),
        (dict(classes=['ant', 'bee']), 'has 2 classes, but the training'),
        (dict(classes=None, logits=torch.zeros(8, 3)), 'of 3 classes'),
        (dict(labels=torch.zeros(8, 4)), 'holds logits of multi-label'),
        (dict(labels=torch.ones(8).long()), 'differ in labels'),
        (dict(sample_idx=torch.ones(8).long()), 'differ in sample_idx'),
    ],
)
def test_a_run_of_other_data(
    changes, message, config, runs, run_tool, tmp_path
):
    first, second = runs
    dump(second / 'test.pt', [0] * 8, **changes)
    with pytest.raises(ValueError, match=f'{message}'):
        make(run_tool, tmp_path, config, first, second)
    assert not (tmp_path / 'new').exists()


def test_a_checkpoint_of_other_classes(config, runs, run_tool, tmp_path):
    path = runs[0] / 'epoch_2.pth'
    counts = dict(image_count=[1, 2], num_images=3, classes=['x', 'y'])
    torch.save(dict(meta=dict(class_stats=counts)), path)
    with pytest.raises(ValueError, match=r'epoch_2.pth. has 2 classes'):
        make(run_tool, tmp_path, config, path)


def test_a_checkpoint_of_other_counts(config, runs, run_tool, tmp_path):
    path = runs[0] / 'epoch_2.pth'
    counts = dict(image_count=[25, 4, 2, 2], num_images=33, classes=CLASSES)
    save_checkpoint(path, class_stats=counts)
    _, facts = make(run_tool, tmp_path, config, path)
    assert 'of class dog: 1 against 2' in facts['runs'][0]['missing'][0]


def test_paths_that_are_no_run(config, runs, run_tool, tmp_path):
    with pytest.raises(FileNotFoundError, match="no file or folder 'no'"):
        make(run_tool, tmp_path, config, 'no')
    with pytest.raises(ValueError, match=r'config.py. is neither a folder'):
        make(run_tool, tmp_path, config, config)
    with pytest.raises(ValueError, match="'a' names two of them"):
        make(run_tool, tmp_path, config, f'a={runs[0]}', f'a={runs[1]}')
    torch.save(dict(x=1), tmp_path / 'x.pt')
    with pytest.raises(ValueError, match=r'x.pt. holds no logits'):
        make(run_tool, tmp_path, config, tmp_path / 'x.pt')


class Browser:
    """Chromium without a window, spoken to through a pair of pipes."""

    def __init__(self, folder):
        ours, theirs = zip(os.pipe()[::-1], os.pipe(), strict=True)
        # What Chromium reads from is 3, what it writes to is 4.
        theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in theirs]

        def connect():
            for place, fd in enumerate(theirs, 3):
                os.dup2(fd, place)

        self.process = subprocess.Popen(
            [
                CHROMIUM,
                '--headless',
                '--no-sandbox',
                '--disable-gpu',
                '--remote-debugging-pipe',
                f'--user-data-dir={folder}',
            ],
            close_fds=False,
            preexec_fn=connect,
            stderr=subprocess.DEVNULL,
        )
        for fd in theirs:
            os.close(fd)
        self.commands, self.answers = os.fdopen(ours[0], 'wb'), ours[1]
        self.buffer, self.events, self.session = b'', [], {}

    def receive(self):
        while b'\0' not in self.buffer:
            part = os.read(self.answers, 1 << 20)
            assert part, 'Chromium has ended'
            self.buffer += part
        message, _, self.buffer = self.buffer.partition(b'\0')
        return json.loads(message)

    def call(self, method, **params):
        message = dict(id=1, method=method, params=params, **self.session)
        self.commands.write(json.dumps(message).encode() + b'\0')
        self.commands.flush()
        while 'id' not in (answer := self.receive()):
            self.events.append(answer)
        assert 'error' not in answer, answer
        return answer['result']

    def open(self, path):
        page = self.call('Target.createTarget', url='about:blank')
        attached = self.call(
            'Target.attachToTarget', targetId=page['targetId'], flatten=True
        )
        self.session = dict(sessionId=attached['sessionId'])
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self.call(f'{domain}.enable')
        self.call('Page.navigate', url=path.as_uri())
        while self.receive_event() != 'Page.loadEventFired':
            pass

    def receive_event(self):
        self.events.append(self.receive())
        return self.events[-1].get('method')

    def evaluate(self, code):
        answer = self.call(
            'Runtime.evaluate', expression=code, returnByValue=True
        )
        assert 'exceptionDetails' not in answer, answer
        return answer['result'].get('value')

    def of(self, *methods):
        return [each for each in self.events if each.get('method') in methods]


@pytest.fixture
def browser(tmp_path):
    if CHROMIUM is None:
        pytest.skip('no Chromium here, which this test opens the page in')
    browser = Browser(tmp_path / 'profile')
    yield browser
    browser.process.kill()
    browser.process.wait()


COLUMN = (
    "[...document.querySelectorAll('#per-class tbody tr')]"
    '.filter(row => !row.hidden).map(row => row.cells[{}].textContent.trim())'
)
CLICK = "document.querySelectorAll('#per-class th button')[{}].click()"


def test_page_in_a_browser(config, runs, run_tool, tmp_path, browser):
    out, _ = make(run_tool, tmp_path, config, *runs)
    browser.open(out)

    def column(index):
        return browser.evaluate(COLUMN.format(index))

    assert column(0) == CLASSES
    browser.evaluate(CLICK.format(2))
    assert column(2) == ['25', '4', '2', '1']
    browser.evaluate(CLICK.format(2))
    assert column(2) == ['1', '2', '4', '25']
    browser.evaluate(CLICK.format(6))
    assert column(6) == ['+50.0', '+50.0', '+50.0', '-50.0']
    assert column(0)[3] == 'ant'
    browser.evaluate(CLICK.format(0))
    assert column(0) == CLASSES
    browser.evaluate(
        "const input = document.querySelector('input[type=search]');"
        "input.value = 'AT<'; input.dispatchEvent(new Event('input'))"
    )
    assert column(0) == ['cat<b>']
    shown = "document.querySelector('output').value"
    assert browser.evaluate(shown) == '1 of 4'
    for width in (400, 1400):
        browser.call(
            'Emulation.setDeviceMetricsOverride',
            width=width,
            height=800,
            deviceScaleFactor=1,
            mobile=False,
        )
        needed = browser.evaluate('document.documentElement.scrollWidth')
        assert needed <= width
    requests = browser.of('Network.requestWillBeSent')
    urls = {each['params']['request']['url'] for each in requests}
    assert urls == {out.as_uri()}
    assert not browser.of(
        'Runtime.exceptionThrown', 'Runtime.consoleAPICalled', 'Log.entryAdded'
    )
