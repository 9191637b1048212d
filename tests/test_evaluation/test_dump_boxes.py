import pytest
import torch

from mmlt.evaluation.metrics import DumpBoxes

TEST_CFG = dict(score_thr=0.05, nms=dict(type='nms'), max_per_img=100)


def sample(scores, bboxes, img_id=3):
    found = dict(scores=torch.tensor(scores), bboxes=torch.tensor(bboxes))
    return dict(img_id=img_id, ori_shape=(20, 30), pred_instances=found)


def write(path, *samples, **arguments):
    metric = DumpBoxes(str(path), 'train', TEST_CFG, **arguments)
    metric.dataset_meta = dict(classes=('ant', 'bee'))
    metric.set_applied([])
    metric.process(None, samples)
    assert metric.evaluate(len(samples)) == {}
    return torch.load(path, weights_only=True)


SCORES = [[0.7, 0.1, 0.2], [0.0, 1e-4, 0.9999]]


@pytest.mark.parametrize('class_agnostic', [True, False])
def test_pairs_of_use_and_all_logits(tmp_path, class_agnostic):
    boxes = [[0.0, 1, 2, 3], [4, 5, 6, 7]]
    if not class_agnostic:
        boxes = [box + [10 + x for x in box] for box in boxes]
    content = write(
        tmp_path / 'x.pt', sample(SCORES, boxes), sample(SCORES, boxes, 9)
    )
    assert content['test_cfg'] == TEST_CFG
    assert content['classes'] == ['ant', 'bee']
    assert (content['split'], content['applied']) == ('train', [])
    first, second = content['images']
    assert (first['img_id'], second['img_id']) == (3, 9)
    assert first['ori_shape'] == (20, 30)
    assert first['rows'].tolist() == [0, 0, 1]
    assert first['labels'].tolist() == [0, 1, 1]
    k = 0 if class_agnostic else 4
    expected = [boxes[0][:4], boxes[0][k : k + 4], boxes[1][k : k + 4]]
    assert first['boxes'].tolist() == expected
    torch.testing.assert_close(
        first['logits'].float().exp(),
        torch.tensor(SCORES),
        rtol=5e-3,
        atol=1e-6,
    )
    assert first['logits'].isfinite().all()


def test_images_without_proposals_and_other_limits(tmp_path):
    nothing = dict(scores=torch.zeros(0, 3), bboxes=torch.zeros(0, 8))
    empty = dict(img_id=1, ori_shape=(2, 2), pred_instances=nothing)
    full = sample(SCORES, [[0.0, 1, 2, 3]] * 2)
    content = write(tmp_path / 'x.pt', empty, full, min_score=0.5)
    assert content['images'][0]['boxes'].shape == (0, 4)
    assert content['images'][1]['labels'].tolist() == [0]


def test_what_is_refused(tmp_path):
    path = str(tmp_path / 'x.pt')
    metric = DumpBoxes(path, 'train', TEST_CFG)
    with pytest.raises(ValueError, match=r'shape \(2,\).*test_cfg\.rcnn=None'):
        metric.process(None, [sample([0.5, 0.1], [[0.0, 1, 2, 3]] * 2)])
    with pytest.raises(ValueError, match='scores'):
        metric.process(None, [sample([[float('nan')] * 3], [[0.0, 1, 2, 3]])])
    with pytest.raises(TypeError, match='test_cfg must be a dict, got None'):
        DumpBoxes(path, 'train', None)
    with pytest.raises(ValueError, match=r"lacks \['max_per_img', 'nms'\]"):
        DumpBoxes(path, 'train', dict(score_thr=0.1))
    with pytest.raises(ValueError, match=r'min_score must be in \[0, 1\]'):
        DumpBoxes(path, 'train', TEST_CFG, min_score=2)
