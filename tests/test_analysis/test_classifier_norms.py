import numpy as np
import pytest
import torch

from mmlt.analysis.classifier_norms import class_norms, find_weights


def test_class_norms_by_hand():
    # Three classes, then background: BAGS has more such rows.
    weight = torch.tensor([[3.0, 4.0], [0.0, 2.0], [1.0, 0.0], [9.0, 9.0]])
    np.testing.assert_allclose(class_norms(weight, 3), [5, 2, 1])
    with pytest.raises(ValueError, match=r'5 classes, but .* 4 rows'):
        class_norms(weight, 5)


def test_every_stage_of_a_cascade():
    state = {
        f'roi_head.bbox_head.{stage}.fc_cls.weight': torch.ones(4, 2)
        for stage in range(3)
    }
    found = find_weights({'state_dict': state})
    assert list(found) == [name.removesuffix('.weight') for name in state]
    named = find_weights(state, ['roi_head.bbox_head.1.fc_cls'])
    assert list(named) == ['roi_head.bbox_head.1.fc_cls']


def test_no_classifier():
    state = {'layer.weight': torch.ones(4, 2)}
    with pytest.raises(ValueError, match=r'--layers, out of .*layer\.weight'):
        find_weights(state)
    with pytest.raises(ValueError, match=r'head\.weight'):
        find_weights(state, ['head'])
