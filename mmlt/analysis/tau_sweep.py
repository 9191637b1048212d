"""Which tau to adjust logits with. N samples, C classes, T taus, G groups."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from mmlt.class_stats import ClassStats, check_groups
from mmlt.class_stats.storage import load_tensors
from mmlt.evaluation.functional import group_means, per_class_recall

HOLD_OUT = (
    'hold out a part of the training data with mmlt.HoldOutDataset (a fold of '
    'KFoldDataset leaves rare classes without images); of another part, say '
    'so when writing its logits: tools/test.py ... --split train (see '
    'docs/posthoc.md)'
)
# Numbers of the logits to take at once.
CHUNK_NUMBERS = 1_000_000


@dataclass(frozen=True)
class TauSweep:
    """Accuracies in percent for each tau.

    Args:
        taus (np.ndarray): (T,).
        overall (np.ndarray): (T,) share of samples that are right.
        balanced (np.ndarray): (T,) mean over the classes with samples.
        groups (np.ndarray): (T, G) mean over the classes of a group, the
            rarest first; NaN for a group without samples.
        group_names (tuple[str, ...]): G names.
    """

    taus: np.ndarray
    overall: np.ndarray
    balanced: np.ndarray
    groups: np.ndarray
    group_names: tuple[str, ...]

    @property
    def best(self) -> int:
        """Index of the best balanced accuracy, of equal ones the first."""
        return int(self.balanced.argmax())

    @property
    def best_tau(self) -> float:
        """The tau to use."""
        return float(self.taus[self.best])

    def to_dict(self) -> dict:
        """Plain lists and numbers, of the groups with samples."""
        groups = zip(self.group_names, self.groups.T, strict=True)
        return {
            'best_tau': self.best_tau,
            'taus': self.taus.tolist(),
            'balanced': self.balanced.tolist(),
            'overall': self.overall.tolist(),
            **{
                name: values.tolist()
                for name, values in groups
                if not np.isnan(values).any()
            },
        }


def load_held_out(path: str | Path) -> dict:
    """Read the logits of data that were held out.

    Args:
        path (str | Path): What ``mmlt.DumpLogits`` or ``DumpBoxes`` wrote.

    Returns:
        dict: ``logits`` (N, C), ``labels`` (N,) and ``split``; of newer
        files, also ``classes`` and ``applied``. Of a detector, ``images``
        and ``test_cfg`` instead of logits and labels.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is something else, of the test split, or says that
            its logits are adjusted.
    """
    dump = load_tensors(path, 'logits')
    images = 'images' in dump
    needed = {'test_cfg', 'split'} if images else {'logits', 'labels', 'split'}
    missing = needed - set(dump)
    if missing:
        raise ValueError(
            f'logits: {str(path)!r} lacks {sorted(missing)}; write it with '
            'tools/test.py --dump-logits'
        )
    if 'test' in str(dump['split']):
        raise ValueError(
            f'logits: {str(path)!r} holds the split {dump["split"]!r}; '
            'choosing tau on it would spoil every test result: '
            f'{HOLD_OUT}'
        )
    applied = [each['type'] for each in dump.get('applied') or []]
    _refuse_adjusted(path, [t for t in applied if not t.endswith('TauNorm')])
    return dump


def check_unadjusted(path: str | Path) -> None:
    """Raise if a checkpoint's raw logits are adjusted already.

    Its config says what it was trained with, and its meta what was done to
    it later. The config is a text, which is read and not run.

    Args:
        path (str | Path): The checkpoint that wrote the logits.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If they are, or it is no checkpoint.
    """
    meta = load_tensors(path, 'class_stats').get('meta', {})
    done = [edit['type'] for edit in meta.get('classifier_edits', [])]
    adjusting = [name for name in done if not name.endswith('TauNorm')]
    adjusting += [
        given['type']
        for given in _dicts_of_model(meta.get('cfg', ''))
        if _adjusts(str(given.get('type')).rpartition('.')[2], given)
    ]
    _refuse_adjusted(path, adjusting)


def _refuse_adjusted(path: str | Path, adjusting: Sequence[str]) -> None:
    if adjusting:
        raise ValueError(
            f'logits: the model of {str(path)!r} has had {adjusting[0]}, '
            'which adjusts its logits already; choose tau with a model that '
            'was trained with plain cross entropy'
        )


def _adjusts(name: str, given: dict) -> bool:
    """``LogitAdjustment.check_model``, of a loss's config."""
    if name == 'PairwiseMarginLoss':
        return given.get('preset', 'logit_adjusted') == 'logit_adjusted'
    return name == 'LogitAdjustedLoss' and given.get('tau', 1.0) != 0


def _dicts_of_model(cfg: str) -> Iterator[dict]:
    """The constants in each ``dict(...)`` of a config's model."""
    try:
        statements = ast.parse(cfg).body
    except (SyntaxError, ValueError):
        return  # not written by MMEngine: nothing is known
    for node in statements:
        if ast.unparse(node).startswith('model ='):
            for call in ast.walk(node):
                yield {
                    keyword.arg: keyword.value.value
                    for keyword in getattr(call, 'keywords', [])
                    if isinstance(keyword.value, ast.Constant)
                }


def winning_taus(
    logits: Tensor, labels: Tensor, log_pi: Tensor
) -> tuple[Tensor, Tensor]:
    """Between which taus each label has the largest adjusted logit.

    ``z_y - tau log pi_y >= z_k - tau log pi_k`` holds for tau up to, or from,
    ``(z_y - z_k) / (log pi_y - log pi_k)``: one pass serves all taus.

    Args:
        logits (Tensor): (N, C) ``z``.
        labels (Tensor): (N,) ``y``.
        log_pi (Tensor): (C,) log class prior.

    Returns:
        tuple[Tensor, Tensor]: (N,) float64 lowest and highest tau; the lowest
        is above the highest where no tau makes the label win.
    """
    log_pi = log_pi.double()
    rows = max(1, CHUNK_NUMBERS // logits.size(1))
    chunks = zip(logits.split(rows), labels.split(rows), strict=True)
    bounds = [_winning_taus(z.double(), y, log_pi) for z, y in chunks]
    low, high = zip(*bounds, strict=True)
    return torch.cat(low), torch.cat(high)


def _winning_taus(
    logits: Tensor, labels: Tensor, log_pi: Tensor
) -> tuple[Tensor, Tensor]:
    lead = logits.gather(1, labels[:, None]) - logits
    more_frequent = log_pi[labels][:, None] - log_pi
    tau = lead / more_frequent
    high = tau.where(more_frequent > 0, torch.inf).amin(dim=1)
    low = tau.where(more_frequent < 0, -torch.inf).amax(dim=1)
    # No tau decides between classes that are equally frequent.
    lost = ((more_frequent == 0) & (lead < 0)).any(dim=1)
    return low, high.where(~lost, -torch.inf)


def sweep_tau(
    logits: Tensor,
    labels: Tensor,
    stats: ClassStats,
    taus: Sequence[float],
    zero_count: str = 'error',
    thresholds: Sequence[int] = (20, 101),
    group_names: Sequence[str] = ('few', 'medium', 'many'),
) -> TauSweep:
    """Accuracies of post-hoc logit adjustment for each tau.

    Args:
        logits (Tensor): (N, C) of a model trained with plain cross entropy,
            on data that it was not trained on, nor will be tested on.
        labels (Tensor): (N,).
        stats (ClassStats): Statistics of the training set.
        taus (Sequence[float]): T values.
        zero_count (str): ``'error'`` or ``'one'``, see
            :meth:`mmlt.class_stats.ClassStats.log_prior`.
        thresholds (Sequence[int]): Counts, each the first of the next group.
        group_names (Sequence[str]): Names of the groups, rarest first.

    Raises:
        ValueError: If the shapes do not fit, a number is not finite, or a
            policy or group is of no use.
    """
    _check(logits, labels, stats, taus)
    check_groups(thresholds, group_names)
    log_pi = stats.log_prior(zero_count=zero_count, background='sum')
    log_pi = torch.from_numpy(log_pi)
    group = stats.groups(thresholds)
    low, high = (x.numpy() for x in winning_taus(logits, labels, log_pi))
    taus = np.asarray(taus, dtype=float)
    hits = [(low <= tau) & (tau <= high) for tau in taus]
    recall = 100 * np.stack(
        [per_class_recall(hit, labels.numpy(), len(group)) for hit in hits]
    )
    groups = [group_means(row, group, len(group_names)) for row in recall]
    return TauSweep(
        taus,
        100 * np.mean(hits, axis=1),
        np.nanmean(recall, axis=1),
        np.stack(groups),
        tuple(group_names),
    )


def draw_tau_sweep(sweep: TauSweep, path: str | Path) -> None:
    """Draw the accuracies over tau and mark the chosen one.

    Args:
        sweep (TauSweep): What :func:`sweep_tau` returns.
        path (str | Path): The image file to write.
    """
    figure = Figure(figsize=(6.5, 4.2), layout='constrained')
    axes = figure.add_subplot()
    known = ~np.isnan(sweep.groups).any(axis=0)
    for g in np.flatnonzero(known)[::-1]:
        axes.plot(
            sweep.taus, sweep.groups[:, g], '--', label=sweep.group_names[g]
        )
    axes.plot(sweep.taus, sweep.overall, ':', color='0.4', label='overall')
    axes.plot(sweep.taus, sweep.balanced, color='k', lw=2, label='balanced')
    axes.axvline(sweep.best_tau, color='0.75', zorder=0)
    axes.plot(sweep.best_tau, sweep.balanced[sweep.best], 'ko')
    axes.set_title(
        f'balanced accuracy {sweep.balanced[sweep.best]:.1f} % at '
        rf'$\tau$ = {sweep.best_tau:.4g}'
    )
    axes.set_xlabel(r'$\tau$ of the post-hoc logit adjustment')
    axes.set_ylabel('held-out accuracy (%)')
    axes.grid(alpha=0.3)
    figure.legend(loc='outside right upper', frameon=False)
    figure.savefig(path, dpi=150)


def _check(
    logits: Tensor, labels: Tensor, stats: ClassStats, taus: Sequence[float]
) -> None:
    if logits.dim() != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            'logits and labels must have the shapes (N, C) and (N,), got '
            f'{tuple(logits.shape)} and {tuple(labels.shape)}'
        )
    if logits.size(1) != stats.num_classes:
        raise ValueError(
            f'logits have {logits.size(1)} columns, but the class statistics '
            f'hold {stats.num_classes} classes; give class_stats of the '
            'training set'
        )
    wrong = (labels < 0) | (labels >= stats.num_classes)
    if wrong.any():
        raise ValueError(
            f'labels hold {labels[wrong][0]}, but there are '
            f'{stats.num_classes} classes'
        )
    if not len(logits) or not logits.isfinite().all():
        raise ValueError(
            f'logits {tuple(logits.shape)} must hold finite numbers, and '
            'some; write them again'
        )
    if not len(taus) or not np.isfinite(taus).all():
        raise ValueError(f'taus must be finite numbers, got {taus}')
