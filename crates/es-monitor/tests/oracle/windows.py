"""Prints the constants that tests/it/windows.rs compares the live evaluation with.

    python windows.py        # needs numpy and scipy (written with 2.4 and 1.17)

The documents are made by the same whole-number formulas as in tests/it/data.rs.
"""

import numpy as np
from scipy import stats
from scipy.spatial.distance import jensenshannon

n, m = 2000, 1500
i, j = np.arange(n), np.arange(m)


def two_windows(reference, current):
    return np.asarray(reference, dtype=float), np.asarray(current, dtype=float)


def letters(k):
    """Shares of the letters a, b, c, d by position; d is in the current window only."""
    reference = np.select([k % 10 < 5, k % 10 < 8], ["a", "b"], "c")
    current = np.select([k % 50 == 0, k % 20 < 9, k % 20 < 15], ["d", "a", "b"], "c")
    return reference, current


skewed = two_windows((i * 7919 % 2003) ** 2 / 1000, (j * 7907 % 1511 + 300) ** 2 / 1000)
near = two_windows((i * 7919 % 2003) ** 2 / 1000, (j * 7907 % 2003) ** 2 / 1000)
whole = two_windows(i * i % 37 - 5, (j * j + 3 * j) % 41 - 5)
city = letters(i)[0], letters(j)[1]
late = i % 4 == 0, j % 3 == 0
gap = np.count_nonzero(i % 100 == 0), np.count_nonzero(j % 10 == 0)


def counts(pair):
    values = sorted(set(pair[0]) | set(pair[1]))
    return np.array([[np.count_nonzero(side == value) for value in values] for side in pair])


def of_counts(name, table):
    r, c = table[0] / table[0].sum(), table[1] / table[1].sum()
    # An empty share counts as 1e-4, or as half a document where that is less.
    fill = lambda share, size: np.where(share == 0, min(1e-4, 0.5 / size), share)
    fr, fc = fill(r, table[0].sum()), fill(c, table[1].sum())
    print(name, "counts", table.tolist())
    print(name, "psi", float(np.sum((fr - fc) * np.log(fr / fc))))
    print(name, "js", float(jensenshannon(r, c, base=2)))
    print(name, "linf", float(np.max(np.abs(r - c))))
    print(name, "chi2", *(float(x) for x in stats.chi2_contingency(table, correction=False)[:2]))


for name, pair in {"skewed": skewed, "near": near, "whole": whole}.items():
    ks = stats.ks_2samp(*pair, method="exact")
    distance = stats.wasserstein_distance(*pair)
    print(name, "ks", float(ks.statistic), float(ks.pvalue))
    print(name, "wasserstein", float(distance), "over sd", float(distance / pair[0].std()))
of_counts("city", counts(city))
of_counts("late", counts(late))
print("gap", gap, stats.chi2_contingency([[gap[0], n - gap[0]], [gap[1], m - gap[1]]], correction=False)[1])
