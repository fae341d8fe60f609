"""Runs checks one by one and prints what each brought as one JSON object; one that raises does not stop the others."""

import json
import traceback


class Report:
    def __init__(self):
        self._results = {}

    def __call__(self, check):
        """Runs the decorated function at once; its result stands under its name."""
        try:
            self._results[check.__name__] = {"value": check()}
        except Exception:
            self._results[check.__name__] = {"raised": traceback.format_exc()}
        return check

    def print(self):
        print(json.dumps(self._results))
