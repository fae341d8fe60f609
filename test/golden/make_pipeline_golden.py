"""Makes pipeline-steps.json: what scikit-learn computes for each step of a pipeline on real tables.

    pip install scikit-learn==1.9.1 pandas==3.1.1 vega_datasets==0.9.0
    python make_pipeline_golden.py > pipeline-steps.json

A case is a column with steps as a pipeline's specification has them, and the features of all rows. Steps are fitted on the rows
whose `part` is train (the first three quarters). A row of features is [index, value, ...] of those that are not 0.
"""
import json
import platform
import unicodedata
import warnings

import numpy as np
import pandas as pd
import sklearn
from sklearn.feature_extraction import FeatureHasher
from sklearn.model_selection import PredefinedSplit
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, MinMaxScaler, OneHotEncoder, OrdinalEncoder, PowerTransformer, QuantileTransformer, RobustScaler, StandardScaler, TargetEncoder
from vega_datasets import data

cars = data.cars()
warnings.simplefilter("error")
TRAIN = len(cars) * 3 // 4
TABLES = {
    "cars": {
        "label": list(range(len(cars))),
        "part": ["train"] * TRAIN + ["test"] * (len(cars) - TRAIN),
        "miles": cars["Miles_per_Gallon"],
        "cylinders": cars["Cylinders"],
        "displacement": cars["Displacement"],
        "horsepower": cars["Horsepower"],
        "weight": cars["Weight_in_lbs"],
        "acceleration": cars["Acceleration"],
        "origin": cars["Origin"],
        "heavy": cars["Weight_in_lbs"].gt(3000).map({True: "yes", False: "no"}),
        "name": cars["Name"],
        "maker": cars["Name"].str.split().str[0],
    }
}
cases = []


def plain(values):
    return [None if value is None or value != value else value for value in pd.Series(values).tolist()]


def sparse(row):
    return [number for i in np.flatnonzero(row) for number in (int(i), float(row[i]))]


def add(column, steps, features, table="cars", **more):
    """Notes a case; `features` are of all rows."""
    dense = features.toarray() if hasattr(features, "toarray") else np.asarray(features, dtype=np.float64)
    cases.append({"table": table, "column": column, "steps": steps, **more, "width": dense.shape[1], "rows": [sparse(row) for row in dense]})


def fitted(column, steps, *transformers):
    """A case whose steps are the transformers in their order."""
    values = np.asarray(TABLES["cars"][column]).reshape(-1, 1)
    pipeline = make_pipeline(*transformers).fit(values[:TRAIN])
    add(column, steps, pipeline.transform(values))


def impute(strategy, **more):
    return {"kind": "impute", "strategy": strategy, "number": None, "text": None, "missingFlag": False, **more}


STANDARDISE = {"kind": "standardise"}

for strategy, name in [("mean", "mean"), ("median", "median"), ("most_frequent", "mostFrequent")]:
    fitted("horsepower", [impute(name)], SimpleImputer(strategy=strategy))
fitted("miles", [impute("constant", number=-1.0)], SimpleImputer(strategy="constant", fill_value=-1.0))
fitted("horsepower", [impute("mean", missingFlag=True)], SimpleImputer(strategy="mean", add_indicator=True))
fitted("weight", [{"kind": "scale", "minimum": None, "maximum": None}], MinMaxScaler())
fitted("weight", [STANDARDISE], StandardScaler())
fitted("miles", [impute("median"), STANDARDISE], SimpleImputer(strategy="median"), StandardScaler())
fitted("origin", [{"kind": "oneHot", "categoriesMax": None, "unseenPlace": False}], OneHotEncoder(handle_unknown="ignore"))
fitted("cylinders", [{"kind": "oneHot", "categoriesMax": None, "unseenPlace": False}], OneHotEncoder(handle_unknown="ignore"))
fitted("maker", [{"kind": "oneHot", "categoriesMax": None, "unseenPlace": False}], OneHotEncoder(handle_unknown="ignore"))

fitted("displacement", [{"kind": "robust", "lowerQuantile": None, "upperQuantile": None}], RobustScaler())
fitted(
    "miles",
    [impute("mean"), {"kind": "robust", "lowerQuantile": 0.1, "upperQuantile": 0.9}],
    SimpleImputer(),
    RobustScaler(quantile_range=(10, 90)),
)

fitted("weight", [{"kind": "log", "offset": None}], FunctionTransformer(np.log1p))
fitted("displacement", [{"kind": "log", "offset": 0.5}], FunctionTransformer(lambda x: np.log(x + 0.5)))

TABLES["cars"]["centred"] = cars["Displacement"] - 200
TABLES["cars"]["below"] = -cars["Acceleration"]
for column in ["displacement", "acceleration", "centred", "below"]:
    fitted(column, [{"kind": "power", "lambda": None}], PowerTransformer(standardize=False))
    fitted(column, [{"kind": "power", "lambda": None}, STANDARDISE], PowerTransformer())

for output in ["uniform", "normal"]:
    for count in [1000, 20]:  # 1000: one for each row of the training split
        for column in ["displacement", "cylinders"]:
            transformer = QuantileTransformer(n_quantiles=min(count, TRAIN), output_distribution=output, subsample=None)
            fitted(column, [{"kind": "quantile", "output": output, "quantilesMax": count}], transformer)

def clip(**more):
    return {"kind": "clip", "minimum": None, "maximum": None, "lowerQuantile": None, "upperQuantile": None, **more}


fitted("displacement", [clip(minimum=100, maximum=300)], FunctionTransformer(lambda x: np.clip(x, 100, 300)))
low, high = np.quantile(cars["Weight_in_lbs"][:TRAIN], [0.05, 0.9])
fitted("weight", [clip(lowerQuantile=0.05, upperQuantile=0.9)], FunctionTransformer(lambda x: np.clip(x, low, high)))

def bucket(strategy, output=None, buckets=None, edges=()):
    return {"kind": "bucket", "strategy": strategy, "buckets": buckets, "edges": list(edges), "output": output}


for strategy in ["uniform", "quantile"]:
    for column in ["displacement", "cylinders"]:
        discretizer = KBinsDiscretizer(5, strategy=strategy, quantile_method="linear", subsample=None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of 8, 6 and 4 cylinders there are no five equal shares
            fitted(column, [bucket(strategy)], discretizer)
            fitted(column, [bucket(strategy, "index", 7)], discretizer.__class__(7, encode="ordinal", strategy=strategy, quantile_method="linear", subsample=None))
edges = [100, 151, 300]
fitted("displacement", [bucket("edges", "index", None, edges)], FunctionTransformer(lambda x: np.searchsorted(edges, x, side="right")))

for column in ["maker", "cylinders"]:
    seen = len(set(TABLES["cars"][column][:TRAIN]))
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=seen)
    fitted(column, [{"kind": "ordinal", "categoriesMax": None}], ordinal)

# One feature more, for what the others do not know.
one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
encoded = one_hot.fit(np.asarray(TABLES["cars"]["maker"][:TRAIN]).reshape(-1, 1)).transform(np.asarray(TABLES["cars"]["maker"]).reshape(-1, 1))
unseen = 1 - encoded.sum(axis=1, keepdims=True)
assert 0 < unseen.sum() < len(cars)
add("maker", [{"kind": "oneHot", "categoriesMax": None, "unseenPlace": True}], np.hstack([encoded, unseen]))

shares = TABLES["cars"]["maker"][:TRAIN].value_counts(normalize=True)
add("maker", [{"kind": "frequency", "categoriesMax": None}], TABLES["cars"]["maker"].map(shares).fillna(0).to_numpy().reshape(-1, 1))

for outputs, alternate in [(16, False), (1000, True)]:
    hasher = FeatureHasher(outputs, input_type="string", alternate_sign=alternate)
    add("name", [{"kind": "hash", "outputs": outputs, "alternateSign": alternate}], hasher.transform([[name] for name in cars["Name"]]))

def mix(value):
    value = ((value ^ value >> 16) * 0x85EBCA6B) & 0xFFFFFFFF
    value = ((value ^ value >> 13) * 0xC2B2AE35) & 0xFFFFFFFF
    return value ^ value >> 16


def fold_of(row, folds, seed=3_141_592_653_589):
    """The fold of a row as services/pipeline/random-key.ts and steps/target.ts give it."""
    upper = mix(mix(mix((row + 0x9E3779B9) & 0xFFFFFFFF) ^ seed & 0xFFFFFFFF) ^ seed >> 32) >> 11
    return upper * folds >> 21


def target(column, label, kind, smooth=None, folds=5):
    values = np.asarray(TABLES["cars"][column]).reshape(-1, 1)
    y = np.asarray(TABLES["cars"][label][:TRAIN])
    splitter = PredefinedSplit([fold_of(row, folds) for row in range(TRAIN)])
    target_type = {"number": "continuous", "binary": "binary", "classes": "multiclass"}[kind]
    encoder = TargetEncoder(target_type=target_type, smooth="auto" if smooth is None else smooth, cv=splitter)
    cross_fitted = encoder.fit_transform(values[:TRAIN], y)
    steps = [{"kind": "target", "categoriesMax": None, "smooth": smooth, "folds": None if folds == 5 else folds}]
    label = {"column": label, "kind": kind}
    add(column, steps, encoder.transform(values), label=label)
    add(column, steps, np.vstack([cross_fitted, encoder.transform(values[TRAIN:])]), label=label, crossFitted=True)


target("maker", "weight", "number")
target("maker", "weight", "number", smooth=10.0, folds=3)
target("maker", "heavy", "binary")
target("cylinders", "origin", "classes")

# The first articles of the Universal Declaration of Human Rights, sentence by sentence, in languages with and without spaces.
RIGHTS = """All human beings are born free and equal in dignity and rights.
They are endowed with reason and conscience and should act towards one another in a spirit of brotherhood.
Everyone has the right to life, liberty and security of person.
No one shall be held in slavery or servitude; slavery and the slave trade shall be prohibited in all their forms.
Tous les êtres humains naissent libres et égaux en dignité et en droits.
Ils sont doués de raison et de conscience et doivent agir les uns envers les autres dans un esprit de fraternité.
人人生而自由，在尊严和权利上一律平等。
他们赋有理性和良心，并应以兄弟关系的精神相对待。
人人有权享有生命、自由和人身安全。
すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。
人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。
すべて人は、生命、自由及び身体の安全に対する権利を有する。
Ｆｕｌｌ　ｗｉｄｔｈ letters, the ﬁrst ligature   and  Ångström.
任何人不得使为奴隶或奴役；一切形式的奴隶制度和奴隶买卖，均应予以禁止。
何人も、奴隷にされ、又は苦役に服することはない。
Nul ne sera tenu en esclavage ni en servitude.""".split("\n")
RIGHTS_TRAIN = 12
TABLES["rights"] = {
    "label": list(range(len(RIGHTS))),
    "part": ["train"] * RIGHTS_TRAIN + ["test"] * (len(RIGHTS) - RIGHTS_TRAIN),
    "text": RIGHTS,
}
ANALYZERS = {"word": "word", "character": "char", "characterInWord": "char_wb"}
NORMALISE = {"kind": "normaliseText", "form": "nfkc", "lowercase": True, "stripAccents": True, "collapseSpaces": True}


def normalise(text):
    stripped = "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) != "Mn")
    return " ".join(unicodedata.normalize("NFKC", stripped).lower().split())


for unit, low, high in [("word", 1, 1), ("word", 1, 2), ("character", 1, 2), ("character", 2, 3), ("characterInWord", 2, 4)]:
    ngrams = {"unit": unit, "min": low, "max": high}
    for steps, texts in [([], RIGHTS), ([NORMALISE], [normalise(text) for text in RIGHTS])]:
        common = {"analyzer": ANALYZERS[unit], "ngram_range": (low, high), "lowercase": False}
        for sublinear, least in [(False, 1), (True, 2)]:
            vectorizer = TfidfVectorizer(min_df=least, sublinear_tf=sublinear, **common).fit(texts[:RIGHTS_TRAIN])
            asked = {"kind": "tfIdf", "ngrams": ngrams, "featuresMax": None, "documentsMin": least, "sublinear": sublinear}
            add("text", [*steps, asked], vectorizer.transform(texts), table="rights")
        counts = HashingVectorizer(n_features=64, alternate_sign=False, norm=None, **common).transform(texts)
        asked = {"kind": "hashTfIdf", "ngrams": ngrams, "outputs": 64, "sublinear": False}
        add("text", [*steps, asked], TfidfTransformer().fit(counts[:RIGHTS_TRAIN]).transform(counts), table="rights")

# Every 37 hours and 13 minutes over some years, before 1970 and with leap years; read as milliseconds.
WHEN = pd.Series(pd.date_range("1967-12-27T05:06:07.089", periods=300, freq="5861min")).astype("datetime64[ms]")
weather = data.seattle_weather()["date"].astype("datetime64[ms]")
cars_year = cars["Year"].astype("datetime64[ms]")
def add_calendar(when, table, zone=""):
    """What the zone's calendar and clock show, which pandas converts to; no zone: UTC."""
    when = when.dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None) if zone else when
    parts = {
        "year": when.dt.year,
        "quarter": when.dt.quarter,
        "month": when.dt.month,
        "week": when.dt.isocalendar().week,
        "day": when.dt.day,
        "weekday": when.dt.day_of_week,
        "weekend": (when.dt.day_of_week >= 5).astype(int),
        "dayOfYear": when.dt.day_of_year,
        "hour": when.dt.hour,
        "minute": when.dt.minute,
        "second": when.dt.second,
    }
    add("when", [{"kind": "calendar", "parts": list(parts), "timeZone": zone}], np.column_stack([part.astype(float) for part in parts.values()]), table)
    train = len(when) * 3 // 4
    scaled = StandardScaler().fit(parts["month"].to_numpy(float).reshape(-1, 1)[:train])
    add("when", [{"kind": "calendar", "parts": ["month"], "timeZone": zone}, STANDARDISE], scaled.transform(parts["month"].to_numpy(float).reshape(-1, 1)), table)
    day = (when - when.dt.normalize()) / pd.Timedelta(days=1)
    passed = {
        "day": day,
        "week": (when.dt.day_of_week + day) / 7,
        "month": (when.dt.day - 1 + day) / when.dt.days_in_month,
        "year": (when.dt.day_of_year - 1 + day) / np.where(when.dt.is_leap_year, 366, 365),
    }
    waves = [wave(2 * np.pi * share) for share in passed.values() for wave in (np.sin, np.cos)]
    add("when", [{"kind": "cyclic", "cycles": list(passed), "period": None, "timeZone": zone}], np.column_stack(waves), table)


for name, when in [("hours", WHEN), ("weather", weather[::5].reset_index(drop=True)), ("years", cars_year)]:
    train = len(when) * 3 // 4
    table = f"times-{name}"
    ms = when.astype("int64")
    TABLES[table] = {
        "label": list(range(len(when))),
        "part": ["train"] * train + ["test"] * (len(when) - train),
        "time:when": ms,
    }
    add_calendar(when, table)
    for unit, delta in [("day", pd.Timedelta(days=1)), ("hour", pd.Timedelta(hours=1)), ("year", pd.Timedelta(days=365.2425))]:
        for since, reference in [("", when[:train].max()), ("2001-02-03T04:05:06+07:00", pd.Timestamp("2001-02-02T21:05:06"))]:
            add("when", [{"kind": "age", "since": since, "unit": unit}], ((reference - when) / delta).to_numpy().reshape(-1, 1), table)
# Around changes of the clocks, by half an hour and a whole one, in both hemispheres; in the years of local mean time, and after 2037.
CHANGES = ["2024-03-10T07", "2024-11-03T06", "2024-03-31T01", "2024-10-27T01", "2024-04-06T15", "2024-10-05T15:30", "1883-11-18T17", "1985-12-31T18:30", "2011-12-30T10", "2060-06-01T00", "2060-12-31T23:59"]
NEAR = sorted(pd.Timestamp(change) + pd.Timedelta(minutes=minutes) for change in CHANGES for minutes in (-721, -31, -1, 0, 1, 29, 59, 661))
ZONED = pd.Series(NEAR).astype("datetime64[ms]")
train = len(ZONED) * 3 // 4
TABLES["times-zoned"] = {"label": list(range(len(ZONED))), "part": ["train"] * train + ["test"] * (len(ZONED) - train), "time:when": ZONED.astype("int64")}
for zone in ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]:
    add_calendar(ZONED, "times-zoned", zone)
angles = 2 * np.pi * TABLES["cars"]["acceleration"].to_numpy() / 7
add("acceleration", [{"kind": "cyclic", "cycles": [], "period": 7, "timeZone": ""}], np.column_stack([np.sin(angles), np.cos(angles)]))

versions = {"python": platform.python_version(), "scikit-learn": sklearn.__version__, "numpy": np.__version__, "pandas": pd.__version__}
tables = {name: {column: plain(values) for column, values in table.items()} for name, table in TABLES.items()}
print('{"versions":' + json.dumps(versions) + ',\n"tables":{')
print(",\n".join(json.dumps(name) + ":" + json.dumps(table, ensure_ascii=False) for name, table in tables.items()))
print('},\n"cases":[')
print(",\n".join(json.dumps(case, ensure_ascii=False) for case in cases))
print("]}")
