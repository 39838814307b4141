"""Evaluates expressions on arrays, one line of JSON and the bytes of the arrays at a time."""

import json
import sys
import warnings

import numpy as np


def receive(source, description):
    name, dtype, shape = description
    dtype = np.dtype(dtype)
    count = int(np.prod(shape, dtype=np.int64))
    return name, np.frombuffer(source.read(count * dtype.itemsize), dtype).reshape(shape)


def answer(sink, head, content=b""):
    sink.write(json.dumps(head).encode() + b"\n" + content)
    sink.flush()


def main():
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    np.seterr(all="ignore")
    warnings.simplefilter("ignore")
    for line in source:
        request = json.loads(line)
        arrays = dict(receive(source, description) for description in request["arrays"])
        try:
            value = np.asarray(eval(request["expression"], {"np": np, **arrays}))
        except Exception as error:
            answer(sink, {"error": f"{type(error).__name__}: {error}"})
            continue
        answer(sink, {"dtype": value.dtype.name, "shape": value.shape}, value.tobytes())


main()
