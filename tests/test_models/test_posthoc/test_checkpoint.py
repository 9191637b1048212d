import pytest
import torch
from mmpretrain.models.heads import LinearClsHead

from mmlt.models.posthoc import LogitAdjustment, TauNorm, edit_checkpoint


def test_a_model_without_bias():
    """A bias in the file would be ignored."""
    head = LinearClsHead(num_classes=3, in_channels=8)
    head.fc.bias = None
    model = torch.nn.ModuleDict(dict(head=head))
    checkpoint = dict(
        state_dict=model.state_dict(),
        meta=dict(class_stats=dict(image_count=[5, 2, 1])),
    )
    with pytest.raises(ValueError, match=r'no bias.*ClassifierEditHook'):
        edit_checkpoint(checkpoint, model, LogitAdjustment())
    assert 'classifier_edits' not in checkpoint['meta']
    assert edit_checkpoint(checkpoint, model, TauNorm()) == ['head.fc']
    assert 'head.fc.bias' not in checkpoint['state_dict']
    norm = checkpoint['state_dict']['head.fc.weight'].norm(dim=1)
    torch.testing.assert_close(norm, torch.ones(3))
