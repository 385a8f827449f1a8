"""Prints what clients made of the answers: one JSON line a call.

    NOECHO=http://127.0.0.1:8711 ASKED=http://127.0.0.1:9/asked python clients.py

ASKED answers with the number of requests that have reached the model, so that a
client that tries again is seen.
"""

import json
import os
import urllib.request

BASE = os.environ["NOECHO"]
KEY = "sk-of-nobody"
QUESTION = "What did you write to the customer?"


def asked():
    with urllib.request.urlopen(os.environ["ASKED"]) as answer:
        return int(answer.read())


class Told(dict):
    """What a client made of one call."""

    def add(self, **pieces):
        for name, piece in pieces.items():
            self[name] += piece or ""


def tell(calls, models=("clean", "leak", "thinking", "tool")):
    """Makes the calls of each API, whole and streamed, for each model."""
    for api, (whole, stream) in calls.items():
        for model in models:
            for how, call in (("whole", whole), ("stream", stream)):
                before = asked()
                told = Told(text="", thinking="", tool="", finish="", error="", status=0)
                try:
                    call(model, told)
                except Exception as err:  # whatever a client throws is its answer
                    told["error"] = str(err)
                    told["status"] = getattr(err, "status_code", None) or getattr(err, "code", None) or 0
                    told["name"] = type(err).__name__
                print(json.dumps({"api": api, "model": model, "how": how, "asked": asked() - before, **told}), flush=True)
