import pytest
import torch
from mmpretrain.models.heads import LinearClsHead

from mmlt.class_stats import ClassStats
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


def linear_checkpoint(**meta):
    head = LinearClsHead(num_classes=3, in_channels=8)
    model = torch.nn.ModuleDict(dict(head=head))
    state = {k: torch.zeros_like(v) for k, v in model.state_dict().items()}
    return dict(state_dict=state, meta=meta), model


NAMES = ('ant', 'bee', 'cat')
DATA = dict(dataset_meta=dict(classes=NAMES))
GIVEN = ClassStats([2, 1, 5], classes=('bee', 'cat', 'ant'))


@pytest.mark.parametrize(
    ('meta', 'given'),
    [
        (DATA, GIVEN),
        (dict(class_stats=dict(image_count=[7, 8, 9], classes=NAMES)), GIVEN),
        (dict(DATA, class_stats='damaged'), GIVEN),
        (dict(DATA, class_stats=GIVEN.to_dict()), None),
    ],
)
def test_statistics_are_put_in_the_order_of_the_checkpoint(meta, given):
    checkpoint, model = linear_checkpoint(**meta)
    edit_checkpoint(checkpoint, model, LogitAdjustment(), given)
    torch.testing.assert_close(
        checkpoint['state_dict']['head.fc.bias'].diff(),
        torch.tensor([5.0, 2.0, 1.0]).log().diff().neg(),
    )


@pytest.mark.parametrize(
    ('names', 'words'),
    [
        (('ant', 'bee', 'dog'), "the checkpoint: class 2 is 'dog' against"),
        (('ant', 'bee'), 'the checkpoint has 3 classes, .* hold 2'),
    ],
)
def test_statistics_of_other_classes(names, words):
    checkpoint, model = linear_checkpoint(**DATA)
    stats = ClassStats(range(1, len(names) + 1), classes=names)
    with pytest.raises(ValueError, match=words):
        edit_checkpoint(checkpoint, model, LogitAdjustment(), stats)
    assert not checkpoint['state_dict']['head.fc.bias'].any()
