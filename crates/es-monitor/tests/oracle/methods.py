"""Prints the constants that the unit tests of the method modules compare with.

    python methods.py        # needs numpy and scipy (written with 2.4 and 1.17)

The binning, zero handling and base of Evidently and NannyML are spelled out here, so
that neither is needed; their own answers to the same inputs (evidently 0.7.23,
nannyml 0.13.1) agree with these to twelve digits.
"""

import numpy as np
from scipy import stats
from scipy.spatial.distance import jensenshannon

reference = np.arange(1, 1001, dtype=float)
current = reference * 1.1
counts = np.array([500, 300, 200]), np.array([450, 300, 250])


def shares(values, edges):
    return np.histogram(values, edges)[0] / len(values)


def evidently(reference, current):
    """Sturges' edges over both windows. For PSI an empty share becomes 1e-4."""
    edges = np.histogram_bin_edges(np.concatenate([reference, current]), bins="sturges")
    r, c = shares(reference, edges), shares(current, edges)
    return edges, r, c


def filled(shares):
    return np.where(shares == 0, 1e-4, shares)


def nannyml(reference, current):
    """Doane's edges over the reference; what lies above them goes to one more bin."""
    edges = np.histogram_bin_edges(reference, bins="doane")
    r, c = shares(reference, edges), shares(current, edges)
    return edges, np.append(r, 1 - r.sum()), np.append(c, 1 - c.sum())


def psi(r, c):
    return float(np.sum((r - c) * np.log(r / c)))


def proportions(k1, n1, k2, n2):
    pooled = (k1 + k2) / (n1 + n2)
    z = (k2 / n2 - k1 / n1) / np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2))
    return z, 2 * stats.norm.sf(abs(z))


edges, r, c = evidently(reference, current)
print("sturges edges", len(edges) - 1, edges[0], edges[-1])
print("psi", psi(filled(r), filled(c)))
print("js base e", jensenshannon(r, c))
edges, r, c = nannyml(reference, current)
print("doane edges", len(edges) - 1, edges[0], edges[-1])
print("js base 2", jensenshannon(r, c, base=2))
ks = stats.ks_2samp(reference, current)
print("ks", ks.statistic, ks.pvalue)
print("wasserstein", stats.wasserstein_distance(reference, current))
print("wasserstein / sd", stats.wasserstein_distance(reference, current) / reference.std())

a, b = counts
print("counts psi", psi(a / a.sum(), b / b.sum()))
print("counts js base e", jensenshannon(a / a.sum(), b / b.sum()))
print("counts js base 2", jensenshannon(a / a.sum(), b / b.sum(), base=2))
print("counts chi2", stats.chi2_contingency(np.array(counts), correction=False)[:3])
print("unseen chi2", stats.chi2_contingency(np.array([[500, 500, 0], [450, 500, 50]]), correction=False)[:3])

x, y = [1.0, 2.0, 2.5, 4.0, 7.0, 7.5, 9.0], [2.2, 3.0, 5.0, 6.0, 8.0, 8.5, 8.7, 9.5, 11.0, 12.0]
ks = stats.ks_2samp(x, y, method="exact")
print("small ks", ks.statistic, ks.pvalue)
print("small wasserstein", stats.wasserstein_distance(x, y))
for z in (0.3, 0.5, 0.8, 1.0, 1.36, 2.0, 4.0):
    print("kolmogorov sf", z, stats.kstwobign.sf(z))
print("weighted wasserstein", stats.wasserstein_distance([0, 1, 3], [5, 6, 8], [3, 1, 6], [2, 2, 6]))

print("proportions", proportions(120, 4000, 180, 4200))
print("fisher", stats.fisher_exact([[3, 997], [0, 1200]])[1], stats.fisher_exact([[1, 49], [6, 34]])[1])
