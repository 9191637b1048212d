import pytest
from PIL import Image

CONFIG = """_base_ = ['mmlt::own_data/ce_resnet50_10e_folder.py']
sampler = dict(_delete_=True, type='mmlt.ReversedSampler')
train_dataloader = dict(sampler=sampler)
"""


@pytest.fixture
def main(load_tool):
    return load_tool('analysis_tools/browse_dataset.py').main


def test_batches_of_a_config(main, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, count in dict(ant=9, bee=2).items():
        folder = tmp_path / 'data' / 'mine' / 'train' / name
        folder.mkdir(parents=True)
        for i in range(count):
            Image.new('RGB', (8, 8)).save(folder / f'{i}.png')
    (tmp_path / 'my_config.py').write_text(CONFIG)
    main(['my_config.py', '--out', 'new/batches.png', '--images', '4'])
    assert (tmp_path / 'new' / 'batches.png').stat().st_size > 5000
    assert 'new/batches.png' in capsys.readouterr().out


def test_bad_input(main, tmp_path):
    with pytest.raises(ValueError, match=r'--images.* 0'):
        main(['ce_resnet50_10e_folder.py', '--images', '0'])
    config = tmp_path / 'test_only.py'
    config.write_text("model = dict(type='x')\n")
    with pytest.raises(ValueError, match='no train_dataloader'):
        main([str(config)])
