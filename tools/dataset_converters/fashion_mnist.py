"""Put the four idx files of Fashion-MNIST where MMPretrain reads them.

A folder that already holds them is left as it is. Otherwise the first of
these that works is used: the folder ``--source``, MMPretrain's own download,
Debian's package ``dataset-fashion-mnist`` (without root). Every file is
checked against its md5 before it is written.

Example::

    python tools/dataset_converters/fashion_mnist.py --out data/fashion_mnist
"""

import argparse
import gzip
import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
from functools import partial
from pathlib import Path
from urllib.parse import urljoin

# Of the unpacked files: the packers differ in how they compress them.
MD5 = {
    'train-images-idx3-ubyte': 'f4a8712d7a061bf5bd6d2ca38dc4d50a',
    'train-labels-idx1-ubyte': '9018921c3c673c538a1fc5bad174d6f9',
    't10k-images-idx3-ubyte': '8181f5470baa50b63fa0f6fddb340f0a',
    't10k-labels-idx1-ubyte': '15d484375f8d13e6eb1aabb0c3f46965',
}
DEBIAN_PACKAGE = 'dataset-fashion-mnist'
DEBIAN_FOLDER = 'usr/share/datasets/fashion-mnist'
CONNECT_SECONDS = 8


def read_file(folder: Path, name: str) -> bytes:
    """Read one idx file, plain or gzipped, and check its md5.

    Raises:
        FileNotFoundError: If ``folder`` holds neither form of it.
        ValueError: If it is damaged.
    """
    plain, packed = folder / name, folder / f'{name}.gz'
    if plain.is_file():
        path, data = plain, plain.read_bytes()
    elif packed.is_file():
        try:
            path, data = packed, gzip.decompress(packed.read_bytes())
        except (EOFError, OSError) as error:
            raise ValueError(f'{packed} is damaged: {error}') from error
    else:
        raise FileNotFoundError(f'{plain} (or {packed.name}) is missing')
    found = hashlib.md5(data).hexdigest()
    if found != MD5[name]:
        raise ValueError(f'{path} has md5 {found}, expected {MD5[name]}')
    return data


def is_complete(folder: Path) -> bool:
    """Whether all four files lie unpacked in ``folder`` and are intact."""
    return all(
        (folder / name).is_file()
        and hashlib.md5((folder / name).read_bytes()).hexdigest() == md5
        for name, md5 in MD5.items()
    )


def install(source: Path, out: Path) -> None:
    """Check the four files of ``source`` and write them unpacked to ``out``.

    Nothing is written unless all four are intact.
    """
    contents = {name: read_file(source, name) for name in MD5}
    out.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        partial_file = out / f'{name}.part'
        partial_file.write_bytes(data)
        os.replace(partial_file, out / name)


def check_reachable(url: str, seconds: float = CONNECT_SECONDS) -> None:
    """Raise ConnectionError if ``url`` does not answer in ``seconds``.

    Runs in a thread, because a name look-up obeys no socket timeout.
    """
    answer: list = []

    def connect() -> None:
        try:
            urllib.request.urlopen(url, timeout=seconds).close()
            answer.append(None)
        except OSError as error:
            answer.append(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(seconds)
    if not answer or answer[0] is not None:
        reason = answer[0] if answer else f'no answer in {seconds} s'
        raise ConnectionError(f'{url}: {reason}')


def from_download(out: Path) -> None:
    """Download with MMPretrain's addresses and checksums."""
    from mmpretrain.datasets import FashionMNIST
    from mmpretrain.datasets.utils import download_and_extract_archive

    files = FashionMNIST.train_list + FashionMNIST.test_list
    check_reachable(urljoin(FashionMNIST.url_prefix, files[-1][0]))
    socket.setdefaulttimeout(CONNECT_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        for filename, md5 in files:
            download_and_extract_archive(
                urljoin(FashionMNIST.url_prefix, filename),
                folder,
                filename=filename,
                md5=md5,
            )
        install(Path(folder), out)


def run(command: list, folder: Path) -> None:
    """Run a command in ``folder``; raise OSError with its last words."""
    result = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300
    )
    if result.returncode:
        words = (result.stderr or result.stdout).strip().splitlines()
        raise OSError(f'`{" ".join(command[:2])}`: {"; ".join(words[-2:])}')


def from_debian(out: Path) -> None:
    """Fetch and unpack Debian's package; needs neither root nor dpkg -i."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        quick = ['-o', 'Acquire::Retries=0']
        for scheme in ('http', 'https'):
            quick += ['-o', f'Acquire::{scheme}::Timeout={CONNECT_SECONDS}']
        download = ['apt-get', 'download', *quick, DEBIAN_PACKAGE]
        try:
            run(download, folder)
        except OSError:
            # The machine has no package lists: fetch some of our own.
            own = ['-o', f'Dir::State::Lists={folder}/lists']
            own += ['-o', f'Dir::Cache={folder}/cache']
            for part in ('lists/partial', 'cache/archives/partial'):
                (folder / part).mkdir(parents=True)
            run(['apt-get', 'update', *quick, *own], folder)
            run([*download, *own], folder)
        (archive,) = folder.glob(f'{DEBIAN_PACKAGE}_*.deb')
        run(['dpkg', '-x', archive.name, 'unpacked'], folder)
        install(folder / 'unpacked' / DEBIAN_FOLDER, out)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('data/fashion_mnist'),
        help='folder that the configs read (default: %(default)s)',
    )
    parser.add_argument(
        '--source',
        type=Path,
        help='folder that holds the four files already, plain or .gz; '
        'nothing is downloaded then',
    )
    args = parser.parse_args()

    if is_complete(args.out):
        print(f'Fashion-MNIST is in {args.out}, nothing to do.')
        return 0
    if args.source is not None:
        routes = {f'folder {args.source}': partial(install, args.source)}
    else:
        routes = {
            'download': from_download,
            f'Debian package {DEBIAN_PACKAGE}': from_debian,
        }
    failures = []
    for name, route in routes.items():
        print(f'Fashion-MNIST: trying {name} ...', flush=True)
        try:
            route(args.out)
        except (
            ImportError,
            OSError,
            RuntimeError,
            ValueError,
            subprocess.TimeoutExpired,
        ) as error:
            failures.append(f'  {name}: {error}')
            continue
        print(f'Fashion-MNIST is in {args.out} (from {name}, md5 checked).')
        return 0
    print(
        'Fashion-MNIST could not be had:',
        *failures,
        'Get these four files on another machine (from '
        'https://github.com/zalandoresearch/fashion-mnist, folder '
        'data/fashion), plain or as .gz:',
        *(f'  {name}' for name in MD5),
        'and name their folder with --source.',
        sep='\n',
        file=sys.stderr,
    )
    return 1


if __name__ == '__main__':
    sys.exit(main())
