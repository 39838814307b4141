"""Writes what NumPy makes of numbers to standard output, as raw 64-bit words.

python order.py DTYPE ROWS FILE, with the raw numbers in the file. The results one after another: median;
quantiles; sorted numbers; different values and their counts; counts of bins; bin numbers; medians, quantiles
and sorted numbers along axis 0 of the numbers as ROWS rows, and the two largest and smallest of each column.
"""

import sys
import warnings

import numpy

warnings.simplefilter("ignore")
QUANTILES = [0.0, 0.001, 0.25, 1 / 3, 0.5, 0.9, 0.99, 1.0]
EDGES = [-1.5, -1.0, 0.0, 0.25, 2.0]

x = numpy.fromfile(sys.argv[3], sys.argv[1])
rows = x.reshape(int(sys.argv[2]), -1)
wide = x.astype("f8")
values, counts = numpy.unique(x, return_counts=True)
results = [
    numpy.median(wide),
    numpy.quantile(wide, QUANTILES),
    numpy.sort(x),
    values,
    counts,
    numpy.histogram(wide, 7, (-1.3, 2.1))[0],
    numpy.histogram(wide, EDGES)[0],
    numpy.digitize(wide, EDGES),
    numpy.median(rows.astype("f8"), axis=0),
    numpy.quantile(rows.astype("f8"), 0.3, axis=0),
    numpy.sort(rows, axis=0),
    numpy.sort(rows, axis=0)[::-1][:2],
    numpy.sort(rows, axis=0)[:2],
]
for result in results:
    sys.stdout.buffer.write(numpy.asarray(result).astype("<f8").tobytes())
