from mmlt.analysis.alpha_schedules import draw_alpha_schedules


def test_every_schedule_over_the_epochs(figures, tmp_path):
    draw_alpha_schedules(tmp_path / 'alpha.png', 4, t_max=4)
    (axes,) = figures[0].axes
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    assert list(lines['linear']) == [1, 0.75, 0.5, 0.25]
    assert list(lines['parabolic']) == [1, 0.9375, 0.75, 0.4375]
    assert len(figures[0].legends[0].get_texts()) == len(lines) == 7
