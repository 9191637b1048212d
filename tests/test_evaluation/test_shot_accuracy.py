import io
import logging
import os
import pickle

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.registry import METRICS
from mmpretrain.evaluation import Accuracy
from mmpretrain.structures import DataSample
from sklearn.metrics import balanced_accuracy_score

from mmlt.class_stats import ClassStats
from mmlt.evaluation.metrics import ShotAccuracy

TRAIN_COUNTS = [500, 101, 100, 20, 19, 1]


def make_samples(num_samples=121, num_classes=6, seed=0):
    """Scores that are right about as often as not."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(num_classes, size=num_samples)
    scores = rng.random((num_samples, num_classes))
    scores[np.arange(num_samples), labels] += 0.3
    return [
        DataSample()
        .set_gt_label(int(label))
        .set_pred_score(torch.tensor(score, dtype=torch.float32))
        for label, score in zip(labels, scores, strict=True)
    ]


def sample(label, score):
    return DataSample().set_gt_label(label).set_pred_score(torch.tensor(score))


def labels_only(samples):
    return [
        DataSample()
        .set_gt_label(item.gt_label)
        .set_pred_label(item.pred_score.argmax())
        for item in samples
    ]


def evaluate(metric, samples, chunk_size=10):
    return Evaluator(metric).offline_evaluate(samples, chunk_size=chunk_size)


@pytest.fixture
def log():
    """What is logged during a test."""
    stream = io.StringIO()
    logger = MMLogger.get_current_instance()
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


def test_worked_by_hand():
    # Classes 0 and 1 many, 2 medium, 3 few. Class 1: 1 of 2 right.
    samples = [
        sample(0, [0.9, 0.1, 0.0, 0.0]),
        sample(1, [0.1, 0.8, 0.1, 0.0]),
        sample(1, [0.6, 0.3, 0.1, 0.0]),
        sample(2, [0.5, 0.3, 0.2, 0.0]),
        sample(3, [0.0, 0.1, 0.2, 0.7]),
    ]
    metric = ShotAccuracy(topk=(1, 2), class_stats=[300, 200, 50, 5])
    result = evaluate(metric, samples, chunk_size=2)
    assert result == pytest.approx(
        {
            'accuracy/top1': 60.0,
            'accuracy/top2': 80.0,
            'accuracy/balanced': 62.5,
            'accuracy/many': 75.0,
            'accuracy/medium': 0.0,
            'accuracy/few': 100.0,
        }
    )


def test_topk_agrees_with_mmpretrain():
    samples = make_samples()
    metric = ShotAccuracy(topk=(1, 3, 6), class_stats=TRAIN_COUNTS)
    ours = evaluate(metric, samples)
    theirs = evaluate(Accuracy(topk=(1, 3, 6)), samples)
    for key, value in theirs.items():
        assert ours[key] == pytest.approx(value)


def test_balanced_agrees_with_sklearn_where_a_class_is_absent():
    samples = [item for item in make_samples() if item.gt_label.item() != 4]
    metric = ShotAccuracy(class_stats=TRAIN_COUNTS)
    truth = [item.gt_label.item() for item in samples]
    predicted = [item.pred_score.argmax().item() for item in samples]
    right = np.isin(predicted, truth)
    assert not right.all()  # scikit-learn warns of such predictions
    with pytest.warns(UserWarning, match='y_pred contains classes'):
        expected = 100 * balanced_accuracy_score(truth, predicted)
    result = evaluate(metric, samples)
    assert result['accuracy/balanced'] == pytest.approx(expected)


def test_boundaries_are_inclusive():
    """20 and 100 training images are medium, 19 few and 101 many."""
    samples = [sample(k, np.eye(6)[k].tolist()) for k in (1, 3)]
    samples += [sample(k, np.eye(6)[0].tolist()) for k in (2, 4)]
    result = evaluate(ShotAccuracy(class_stats=TRAIN_COUNTS), samples)
    groups = {name: result[f'accuracy/{name}'] for name in ('many', 'few')}
    assert groups == {'many': 100.0, 'few': 0.0}
    assert result['accuracy/medium'] == 50.0


def test_groups_of_the_config():
    metric = ShotAccuracy(
        thresholds=[50], group_names=['tail', 'head'], class_stats=[9, 60]
    )
    samples = [sample(0, [0.2, 0.8]), sample(1, [0.2, 0.8])]
    result = evaluate(metric, samples)
    assert result['accuracy/head'] == 100.0
    assert result['accuracy/tail'] == 0.0
    assert 'accuracy/medium' not in result


def test_groups_of_a_papers_code():
    """In OLTR's code 20 training images are few and 100 many."""
    metric = ShotAccuracy(thresholds='oltr', class_stats=[100, 99, 21, 20])
    samples = [sample(k, np.eye(4)[k].tolist()) for k in (0, 1, 2)]
    samples += [sample(3, np.eye(4)[0].tolist())]
    result = evaluate(metric, samples)
    assert metric.thresholds == (21, 100)
    assert result['accuracy/many'] == result['accuracy/medium'] == 100.0
    assert result['accuracy/few'] == 0.0


def test_groups_by_instance_count():
    stats = {'image_count': [5, 5], 'instance_count': [5, 500]}
    samples = [sample(0, [0.2, 0.8]), sample(1, [0.2, 0.8])]
    by_image = evaluate(ShotAccuracy(class_stats=stats), samples)
    metric = ShotAccuracy(class_stats=stats, by='instance')
    by_instance = evaluate(metric, samples)
    assert by_image['accuracy/few'] == 50.0
    assert by_instance['accuracy/few'] == 0.0
    assert by_instance['accuracy/many'] == 100.0


def test_label_predictions_give_the_same():
    samples = make_samples()
    metric = ShotAccuracy(class_stats=TRAIN_COUNTS)
    expected = evaluate(metric, samples)
    assert evaluate(metric, labels_only(samples)) == pytest.approx(expected)


def test_label_predictions_have_no_top5():
    metric = ShotAccuracy(topk=(1, 5), class_stats=TRAIN_COUNTS)
    with pytest.raises(ValueError, match=r'topk=\(1, 5\) needs pred_score'):
        evaluate(metric, labels_only(make_samples()))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_scores(dtype):
    samples = [
        sample(label, scores)
        for label, scores in ((0, [0.75, 0.25]), (1, [0.5, 0.25]))
    ]
    for item in samples:
        item.pred_score = item.pred_score.to(dtype)
    result = evaluate(ShotAccuracy(class_stats=[1, 1]), samples)
    assert result['accuracy/top1'] == 50.0


def test_keeps_two_numbers_a_sample():
    metric = ShotAccuracy(topk=(1, 2), class_stats=TRAIN_COUNTS)
    Evaluator(metric).process(make_samples(7))
    assert len(metric.results) == 7
    assert all(
        len(entry) == 2 and all(isinstance(number, int) for number in entry)
        for entry in metric.results
    )


def test_second_evaluation_starts_afresh():
    metric = ShotAccuracy(class_stats=TRAIN_COUNTS)
    evaluate(metric, make_samples(seed=1))
    again = evaluate(metric, make_samples(seed=2))
    fresh = ShotAccuracy(class_stats=TRAIN_COUNTS)
    assert again == evaluate(fresh, make_samples(seed=2))


def test_survives_pickling():
    metric = ShotAccuracy(topk=(1, 2), class_stats=TRAIN_COUNTS)
    copy = pickle.loads(pickle.dumps(metric))
    samples = make_samples()
    assert evaluate(copy, samples) == evaluate(metric, samples)


def test_config_wins_over_the_hook():
    metric = ShotAccuracy(class_stats=[9, 60])
    metric.set_class_stats(ClassStats.single_label([500, 500]))
    assert metric.class_stats.image_count.tolist() == [9, 60]
    metric = ShotAccuracy()
    metric.set_class_stats(ClassStats.single_label([500, 500]))
    assert metric.class_stats.image_count.tolist() == [500, 500]


def test_built_from_a_config():
    config = dict(type='mmlt.ShotAccuracy', topk=5, prefix='test')
    metric = METRICS.build(config)
    assert metric.topk == (5,)
    assert metric.prefix == 'test'


def test_group_without_training_class_is_left_out_and_warned_of_once(log):
    metric = ShotAccuracy(class_stats=[500, 300, 3])
    assert log.getvalue().count("'medium'") == 1
    samples = [sample(k, [0.5, 0.3, 0.2]) for k in range(3)]
    for _ in range(2):
        result = evaluate(metric, samples)
        assert 'accuracy/medium' not in result
        assert {'accuracy/many', 'accuracy/few'} <= set(result)
    assert log.getvalue().count("'medium'") == 1


def test_group_without_test_class_is_left_out_and_warned_of_once(log):
    metric = ShotAccuracy(class_stats=[500, 50, 3])
    samples = [sample(k, [0.5, 0.3, 0.2]) for k in range(2)]
    for _ in range(2):
        assert 'accuracy/few' not in evaluate(metric, samples)
    assert log.getvalue().count("'few'") == 1


def test_table_of_all_classes(log):
    metric = ShotAccuracy(class_stats=[3, 50, 500], per_class=True)
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = {'classes': ('cat', '[b]dog[/b]', 'eel')}
    samples = [sample(0, [0.5, 0.3, 0.2]), sample(2, [0.5, 0.3, 0.2])]
    evaluator.offline_evaluate([*samples, samples[0]])
    rows = [
        [cell.strip() for cell in line.split('|')[1:-1]]
        for line in log.getvalue().splitlines()
        if line.startswith('| ')
    ]
    assert rows == [
        ['class', 'group', 'training images', 'test images', 'accuracy'],
        ['eel', 'many', '500', '1', '0.00'],
        ['[b]dog[/b]', 'medium', '50', '0', '-'],
        ['cat', 'few', '3', '2', '100.00'],
    ]


def test_no_table_by_default(log):
    evaluate(ShotAccuracy(class_stats=TRAIN_COUNTS), make_samples())
    assert 'training images' not in log.getvalue()


def evaluate_shard(rank, samples, folder, topk):
    os.chdir(folder)
    metric = ShotAccuracy(topk=topk, class_stats=TRAIN_COUNTS)
    evaluator = Evaluator(metric)
    shard = list(DefaultSampler(samples, shuffle=False))
    for start in range(0, len(shard), 8):
        batch = [samples[index] for index in shard[start : start + 8]]
        evaluator.process(batch)
    return len(shard), evaluator.evaluate(len(samples))


def test_two_ranks_count_no_sample_twice(on_two_ranks, tmp_path):
    samples = make_samples(121)
    # The last sample would count twice: an odd length is padded.
    samples[0] = sample(0, np.eye(6)[1].tolist())
    first, second = on_two_ranks(evaluate_shard, samples, tmp_path, (1, 2))
    assert first[0] == second[0] == 61
    metric = ShotAccuracy(topk=(1, 2), class_stats=TRAIN_COUNTS)
    assert first[1] == second[1] == evaluate(metric, samples)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(topk=0), 'topk must .* got 0'),
        (dict(topk=()), r'topk must .* got \(\)'),
        (dict(topk=(1, -5)), r'topk must .* got \(1, -5\)'),
        (dict(topk=True), 'topk must .* got True'),
        (dict(topk='5'), "topk must .* got '5'"),
        (dict(topk=(1, 2.5)), r'topk must .* got \(1, 2.5\)'),
        (dict(topk=float('nan')), 'topk must .* got nan'),
        (dict(topk=None), 'topk must .* got None'),
        (dict(thresholds=(101, 20)), r'thresholds must .* got \(101, 20\)'),
        (dict(thresholds='OLTR'), "thresholds must .* 'oltr'.* got 'OLTR'"),
        (dict(thresholds=(0, 20)), r'thresholds must .* got \(0, 20\)'),
        (dict(thresholds=(20, 50, 101)), 'group_names must hold 4 names'),
        (dict(group_names=('few', 'many')), 'group_names must hold 3 names'),
        (dict(group_names=('few', 'few', 'many')), 'must differ'),
        (dict(group_names=('few', 'balanced', 'many')), 'must differ'),
        (dict(by='pixel'), "by must be .* got 'pixel'"),
        (dict(class_stats=[1, -1]), r'image_count\[1\] is -1'),
        (dict(class_stats={'image_count': [1]} | {'num_images': 1},
              by='instance'), 'image counts only'),
    ],
)  # fmt: skip
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ShotAccuracy(**arguments)


def test_without_statistics():
    with pytest.raises(ValueError, match='ShotAccuracy has no class stat'):
        evaluate(ShotAccuracy(), make_samples())


def test_scores_of_another_number_of_classes():
    metric = ShotAccuracy(class_stats=[1, 2, 3])
    with pytest.raises(ValueError, match=r'pred_score has 6 .* hold 3'):
        evaluate(metric, make_samples())


@pytest.mark.parametrize('given', [True, False])
def test_test_set_of_another_number_of_classes(given):
    stats = ClassStats.single_label([1, 2, 3])
    metric = ShotAccuracy(class_stats=stats if given else None)
    Evaluator(metric).dataset_meta = {'classes': ('cat', 'dog')}
    with pytest.raises(ValueError, match=r'the test set has 2 .* hold 3'):
        metric.set_class_stats(stats)


@pytest.mark.parametrize('given', [True, False])
def test_more_than_all_classes(given):
    """Before the first step: at build, or when statistics arrive."""
    stats = ClassStats.single_label(TRAIN_COUNTS)
    with pytest.raises(ValueError, match=r'topk=\(1, 7\) .* the 6 classes'):
        ShotAccuracy(
            topk=(1, 7), class_stats=stats if given else None
        ).set_class_stats(stats)


@pytest.mark.parametrize(
    'stats',
    [
        ClassStats([60, 50, 9], None, 100),  # multi-label
        ClassStats([60, 50, 9], [600, 300, 20], 119 + 7),  # detection
    ],
)
def test_statistics_of_other_data(stats):
    """Before the first step, not at the first validation."""
    metric = ShotAccuracy()
    with pytest.raises(
        ValueError, match=r'single-label data, but .* hold 119'
    ):
        metric.set_class_stats(stats)


@pytest.mark.parametrize('label', [None, [0, 1]])
def test_sample_without_one_label(label):
    item = DataSample().set_pred_score(torch.rand(6))
    if label is not None:
        item.set_gt_label(label)
    with pytest.raises(ValueError, match='gt_label must be one class'):
        evaluate(ShotAccuracy(class_stats=TRAIN_COUNTS), [item])


def test_label_out_of_range():
    item = DataSample().set_gt_label(6).set_pred_score(torch.rand(6))
    with pytest.raises(ValueError, match='is 6, but there are 6 classes'):
        evaluate(ShotAccuracy(class_stats=TRAIN_COUNTS), [item])


def test_empty_test_set():
    assert ShotAccuracy(class_stats=TRAIN_COUNTS).evaluate(0) == {}
