import math

import numpy as np
import pytest

from mmlt.engine.schedules import SCHEDULES, progress


@pytest.mark.parametrize(
    ('name', 'start', 'middle', 'end'),
    [
        ('parabolic', 1, 0.75, 0),
        ('linear', 1, 0.5, 0),
        ('cosine', 1, math.sqrt(0.5), 0),
        ('parabolic_increment', 0, 0.25, 1),
        ('equal', 0.5, 0.5, 0.5),
        ('step', 1, 0, 0),
    ],
)
def test_schedules_at_three_points(name, start, middle, end):
    values = [SCHEDULES[name](progress) for progress in (0, 0.5, 1)]
    assert values == pytest.approx([start, middle, end])


@pytest.mark.parametrize('name', SCHEDULES)
def test_schedules_stay_between_zero_and_one(name):
    assert all(0 <= SCHEDULES[name](p) <= 1 for p in np.linspace(0, 1, 201))


def test_beta_draws_are_a_function_of_seed_and_progress():
    beta = SCHEDULES['beta']
    points = [epoch / 1000 for epoch in range(1000)]
    draws = np.array([beta(p) for p in points])
    assert draws.tolist() == [beta(p) for p in points]
    assert len(set(draws)) > 990  # 0 and 1 are reached by rounding
    assert draws.tolist() != [beta(p, seed=1) for p in points]
    # Beta(0.2, 0.2) has mean 1/2 and variance 1 / (4 * 1.4).
    assert draws.mean() == pytest.approx(0.5, abs=0.05)
    assert draws.var() == pytest.approx(1 / 5.6, rel=0.1)


def test_step_switches_where_it_is_told():
    step = SCHEDULES['step']
    assert [step(p, at=0.8) for p in (0.0, 0.79, 0.8, 1.0)] == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [
        ((3, 4), 0.75),
        ((3, 4, 1, 2), 0.875),
        ((0, 1, 30, 40), 0.75),
        ((3, 4, 1, 2, 16), 7 / 16),
        ((3, 4, 0, 1, 6), 0.5),
        ((0, 1, 50, 40), 1),
    ],
)
def test_progress(arguments, expected):
    assert progress(*arguments) == pytest.approx(expected)
