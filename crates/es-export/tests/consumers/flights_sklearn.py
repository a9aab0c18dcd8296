"""scikit-learn learns from the training set, by the example, what least squares give."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import sklearn

import frames
from training_set import FEATURES, FOLDER, TARGET

model = frames.load(FOLDER, FEATURES, TARGET)


def complete(part):
    """The rows without nulls, with a column of ones before the features, and their target."""
    table = pq.read_table(FOLDER / part, columns=[*FEATURES, TARGET]).drop_null()
    columns = [table.column(name).to_numpy().astype("float64") for name in [*FEATURES, TARGET]]
    return np.column_stack([np.ones(len(table)), *columns[:-1]]), columns[-1]


rows, target = complete("train")
wanted = np.linalg.lstsq(rows, target)[0]
np.testing.assert_allclose([model.intercept_, *model.coef_], wanted, rtol=1e-6)
assert list(model.feature_names_in_) == FEATURES

test, _ = complete("test")
predicted = test @ wanted
np.testing.assert_allclose(model.predict(pd.DataFrame(test[:, 1:], columns=FEATURES)), predicted, rtol=1e-6)
what = f"{len(rows)} complete rows of train learnt from"
print(f"scikit-learn {sklearn.__version__}: parquet: {what}, the predictions of test sum to {predicted.sum():.0f}")
