import numpy as np

from mmlt.evaluation.tables import class_table


def test_rows_follow_the_training_frequency():
    text = class_table(
        'AP of each class (%)',
        ['cat', '[b]dog[/b]', 'eel', 4],
        ['few', 'many', 'few', 'few'],
        {
            'training images': np.array([3, 500, 3, 7]),
            'test images': [2, 0, 1, 5],
        },
        {'AP': np.array([100, np.nan, 1.234, 0]), 'AP50': [1, np.nan, 3, 4]},
    )
    title, *lines = text.splitlines()
    assert title.strip() == 'AP of each class (%)'
    assert text.isascii()
    rows = [
        [cell.strip() for cell in line.split('|')[1:-1]]
        for line in lines
        if line.startswith('| ')
    ]
    assert rows == [
        ['class', 'group', 'training images', 'test images', 'AP', 'AP50'],
        ['[b]dog[/b]', 'many', '500', '0', '-', '-'],
        ['4', 'few', '7', '5', '0.00', '4.00'],
        # As many images: in the order of the classes.
        ['cat', 'few', '3', '2', '100.00', '1.00'],
        ['eel', 'few', '3', '1', '1.23', '3.00'],
    ]
