"""Writes the draws that its arguments name to standard output, as raw 64-bit words.

python draws.py SEED KEY COUNT KIND [LOW HIGH], the key with commas between its words.
"""

import sys

from numpy.random import PCG64DXSM, Generator, SeedSequence

seed, key, count, kind, *ends = sys.argv[1:]
key = tuple(int(word) for word in key.split(","))
generator = Generator(PCG64DXSM(SeedSequence(int(seed), spawn_key=key)))
if kind == "raw":
    draws = generator.bit_generator.random_raw(int(count))
elif kind == "integers":
    draws = generator.integers(int(ends[0]), int(ends[1]), int(count))
else:
    draws = getattr(generator, kind)(int(count))
sys.stdout.buffer.write(draws.astype(draws.dtype.newbyteorder("<")).tobytes())
