"""The rows that the models of this folder are trained on, and the models of scikit-learn.

`make.py` exports them; the model servers of the conformance suite train them anew, with the packages that they
have, to serve them as they are.
"""

import pathlib
from types import SimpleNamespace

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

HERE = pathlib.Path(__file__).parent
ROWS, COLUMNS = 5000, 7
NAMES = [f"c{number}" for number in range(COLUMNS)]
TRAIN = slice(0, ROWS // 2)


def data():
    """Returns the rows with what is to be predicted, and the generator behind them."""
    random = np.random.default_rng(20130101)
    rows = random.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    rows[:, 2] = np.exp(rows[:, 2])
    texts = random.choice(["EWR", "JFK", "LGA"], ROWS)
    late = random.random(ROWS // 2) < 0.1
    texts[ROWS // 2 :][late] = "SWF"
    signal = rows[:, 0] + 0.5 * rows[:, 1] * rows[:, 3] - 0.3 * rows[:, 2] + (texts == "JFK")
    binary = (signal + random.normal(size=ROWS) > 0.5).astype(np.int64)
    three = np.array(["early", "late", "on time"])[np.digitize(signal, [-0.5, 0.8])]
    value = (signal * 10).astype(np.float32)
    missing = rows.copy()
    for column in (1, 4):
        missing[random.random(ROWS) < 0.1, column] = np.nan
    frame = pd.DataFrame(missing, columns=NAMES).assign(origin=texts)
    return SimpleNamespace(
        rows=rows, missing=missing, texts=texts, frame=frame, binary=binary, three=three, value=value, random=random
    )


def sklearn_models():
    """Returns each model of scikit-learn by its name, with the names of its rows and of what it predicts."""
    mixed = make_pipeline(
        ColumnTransformer(
            [
                ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NAMES),
                ("texts", OneHotEncoder(handle_unknown="ignore"), ["origin"]),
            ]
        ),
        LogisticRegression(),
    )
    return {
        "logistic": (LogisticRegression(), "rows", "binary"),
        "logistic_three": (LogisticRegression(), "rows", "three"),
        "forest": (RandomForestClassifier(20, max_depth=6, random_state=0), "rows", "binary"),
        "boosting": (GradientBoostingClassifier(n_estimators=20, random_state=0), "rows", "binary"),
        "scaled": (make_pipeline(StandardScaler(), LogisticRegression()), "rows", "binary"),
        "imputed": (make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()), "missing", "binary"),
        "perceptron": (
            make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=300, random_state=0)),
            "rows",
            "binary",
        ),
        "forest_value": (RandomForestRegressor(20, max_depth=6, random_state=0), "rows", "value"),
        "linear_value": (LinearRegression(), "rows", "value"),
        "boosting_value": (GradientBoostingRegressor(n_estimators=20, random_state=0), "rows", "value"),
        "mixed": (mixed, "frame", "binary"),
    }


def trained(model, given, target):
    """Trains a model on the first half of the rows."""
    return model.fit(given[TRAIN], target[TRAIN])
