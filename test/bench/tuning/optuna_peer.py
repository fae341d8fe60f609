"""Optuna's TPE with its default pruner, asked over standard input and output, one JSON object a line.

    python optuna_peer.py data NAME      prints a dataset of scikit-learn as {"features": [[...]], "classes": [...]}
    python optuna_peer.py                reads {"seed", "space"}, then for each trial {"ask": true}, which is answered by the values,
                                         {"report": score, "step": n}, answered by {"prune": true or false}, and {"tell": score or null}

The space is that of Millrace's searchers; a parameter is suggested where its conditions hold.
"""

import json
import sys


def print_data(name):
    from sklearn import datasets

    data = getattr(datasets, f"load_{name}")()
    print(json.dumps({"features": data.data.tolist(), "classes": data.target.tolist()}))


def is_active(parameter, values):
    for condition in parameter["when"]:
        value = values.get(condition["parameter"])
        if value is None:
            return False
        if "oneOf" in condition and value not in condition["oneOf"]:
            return False
        if "atLeast" in condition and value < condition["atLeast"]:
            return False
    return True


def suggest(trial, parameter):
    name, search = parameter["name"], parameter["range"]
    if search["type"] == "choice":
        return trial.suggest_categorical(name, search["options"])
    low, high = search["low"], search["high"]
    if search["type"] == "integer":
        return trial.suggest_int(name, low, high, log=search["log"])
    return trial.suggest_float(name, low, high, log=search["type"] == "logUniform")


def serve():
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study, space, trial = None, None, None
    for line in sys.stdin:
        message = json.loads(line)
        if "space" in message:
            space = message["space"]
            study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=message["seed"]))
            answer = {"version": optuna.__version__}
        elif "ask" in message:
            trial = study.ask()
            answer = {}
            for parameter in space:
                if is_active(parameter, answer):
                    answer[parameter["name"]] = suggest(trial, parameter)
        elif "report" in message:
            trial.report(message["report"], message["step"])
            answer = {"prune": bool(trial.should_prune())}
        else:
            score = message["tell"]
            study.tell(trial, score, state=None if score is not None else optuna.trial.TrialState.PRUNED)
            answer = {}
        print(json.dumps(answer), flush=True)


if len(sys.argv) > 2 and sys.argv[1] == "data":
    print_data(sys.argv[2])
else:
    serve()
