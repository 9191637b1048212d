"""tools/dataset_converters/fashion_mnist.py on tiny idx files."""

import hashlib
import os
import subprocess
import sys
import time

import pytest
from mmpretrain.datasets import FashionMNIST


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def plain(tmp_path, write_idx):
    """The four files as they are to be."""
    folder = tmp_path / 'plain'
    write_idx(folder, 'train', [0, 1, 2])
    write_idx(folder, 'test', [1])
    return folder


@pytest.fixture
def packed(tmp_path, write_idx):
    """The same, gzipped."""
    folder = tmp_path / 'packed'
    write_idx(folder, 'train', [0, 1, 2], packed=True)
    write_idx(folder, 'test', [1], packed=True)
    return folder


@pytest.fixture
def tool(load_tool, plain, monkeypatch):
    tool = load_tool('dataset_converters/fashion_mnist.py')
    # the real sums belong to the real names
    real_names = {name[: -len('.gz')] for name, _ in mmpretrain_files()}
    assert set(tool.MD5) == real_names
    sums = {name: md5(plain / name) for name in tool.MD5}
    monkeypatch.setattr(tool, 'MD5', sums)
    return tool


def mmpretrain_files():
    return FashionMNIST.train_list + FashionMNIST.test_list


@pytest.fixture
def run(tool, monkeypatch, tmp_path):
    def run(*arguments):
        out = tmp_path / 'data' / 'fashion_mnist'
        monkeypatch.setattr(
            sys, 'argv', ['tool', '--out', str(out), *map(str, arguments)]
        )
        return tool.main(), out

    return run


def offline(out):
    raise ConnectionError('no network')


@pytest.mark.parametrize('form', ['plain', 'packed'])
def test_source_folder(run, request, plain, form):
    code, out = run('--source', request.getfixturevalue(form))
    assert code == 0
    assert sorted(p.name for p in out.iterdir()) == sorted(
        p.name for p in plain.iterdir()
    )
    assert all(md5(path) == md5(plain / path.name) for path in out.iterdir())
    train = FashionMNIST(data_root=str(out), download=False)
    assert train.get_gt_labels().tolist() == [0, 1, 2]


def test_complete_folder_is_left_alone(run, plain, capsys, tmp_path):
    _, out = run('--source', plain)
    times = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    code, _ = run('--source', tmp_path / 'nowhere')
    assert code == 0
    assert 'nothing to do' in capsys.readouterr().out
    assert times == {p: p.stat().st_mtime_ns for p in out.iterdir()}


def test_damaged_file_is_replaced(run, plain):
    _, out = run('--source', plain)
    (out / 't10k-labels-idx1-ubyte').write_bytes(b'x')
    code, _ = run('--source', plain)
    assert code == 0
    assert all(md5(path) == md5(plain / path.name) for path in out.iterdir())


def test_wrong_md5_writes_nothing(run, packed, write_idx, capsys):
    write_idx(packed, 'test', [2], packed=True)
    code, out = run('--source', packed)
    assert code == 1
    assert not out.exists()
    assert 't10k-labels-idx1-ubyte.gz has md5' in capsys.readouterr().err


def test_cut_archive(run, packed, capsys):
    path = packed / 'train-images-idx3-ubyte.gz'
    path.write_bytes(path.read_bytes()[:500])
    code, _ = run('--source', packed)
    assert code == 1
    assert f'{path} is damaged' in capsys.readouterr().err


def test_missing_file_is_named_with_what_to_do(run, plain, capsys):
    (plain / 't10k-images-idx3-ubyte').unlink()
    code, _ = run('--source', plain)
    error = capsys.readouterr().err
    assert code == 1
    assert 't10k-images-idx3-ubyte' in error
    assert 'is missing' in error
    assert '--source' in error


def test_download_by_mmpretrain(run, tool, packed, monkeypatch):
    monkeypatch.setattr(FashionMNIST, 'url_prefix', f'{packed.as_uri()}/')
    for files in ('train_list', 'test_list'):
        sums = [
            [name, md5(packed / name)]
            for name, _ in getattr(FashionMNIST, files)
        ]
        monkeypatch.setattr(FashionMNIST, files, sums)
    monkeypatch.setattr(tool, 'from_debian', offline)
    code, out = run()
    assert code == 0
    assert tool.is_complete(out)


@pytest.mark.parametrize('lists_are_there', [True, False])
def test_debian_package(
    run, tool, packed, monkeypatch, tmp_path, lists_are_there, capsys
):
    commands = tmp_path / 'commands'
    commands.mkdir()
    updated = tmp_path / 'updated'
    if lists_are_there:
        updated.touch()
    (commands / 'apt-get').write_text(
        '#!/bin/sh\n'
        f'case "$1" in update) touch {updated};;\n'
        f'  *) test -e {updated} || {{ echo "E: no package" >&2; exit 1; }}\n'
        '     touch dataset-fashion-mnist_1_all.deb;; esac\n'
    )
    (commands / 'dpkg').write_text(
        '#!/bin/sh\n'
        'mkdir -p $3/usr/share/datasets\n'
        f'cp -r {packed} $3/usr/share/datasets/fashion-mnist\n'
    )
    for command in commands.iterdir():
        command.chmod(0o755)
    monkeypatch.setenv('PATH', f'{commands}{os.pathsep}{os.environ["PATH"]}')
    monkeypatch.setattr(tool, 'from_download', offline)
    code, out = run()
    assert code == 0, capsys.readouterr().err
    assert tool.is_complete(out)


def test_all_routes_fail(run, tool, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.setattr(tool, 'from_download', offline)
    code, out = run()
    error = capsys.readouterr().err
    assert code == 1
    assert not out.exists()
    for words in ('no network', 'apt-get', '--source', *tool.MD5):
        assert words in error


def test_closed_port_is_noticed(tool):
    with pytest.raises(ConnectionError, match='refused'):
        tool.check_reachable('http://127.0.0.1:9/x')


def test_hanging_look_up_is_given_up(tool, monkeypatch):
    def hang(*_, **__):
        time.sleep(2)
        raise OSError

    monkeypatch.setattr(tool.urllib.request, 'urlopen', hang)
    start = time.monotonic()
    with pytest.raises(ConnectionError, match=r'no answer in 0\.1 s'):
        tool.check_reachable('http://example.invalid/x', seconds=0.1)
    assert time.monotonic() - start < 1


def test_needs_neither_torch_nor_mmpretrain_to_start(tool):
    code = (
        'import runpy, sys; '
        f'runpy.run_path({tool.__file__!r}); '
        "assert not {'torch', 'numpy', 'mmpretrain'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, '-c', code], check=True)
