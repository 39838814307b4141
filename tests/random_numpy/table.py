"""Writes table.txt: what NumPy draws for many seeds, keys and places of a stream.

python table.py > table.txt

A line is: seed; key; draws skipped by `advance`, or "jumped"; a checksum of the
seed sequence; then a checksum of the draws of each kind in turn, all from the one
generator; at last the state in which they leave it: state, unused half or -.
"""

import numpy
from numpy.random import PCG64DXSM, Generator, SeedSequence

SEEDS = [0, 1, 2**31, 2**32 - 1, 2**32, 12345678901234567890, 2**96, 2**128 - 1, 2**128 + 1]
SEEDS += [2**200 + 12345, 31415926535897932384626433832795028841971693993751058209749]
KEYS = [(), (0,), (7,), (0, 0), (3, 7), (2**32 - 1, 5, 0, 1), tuple(range(9)), (2**31,) * 3]
SKIPS = [0, 1, 1000, 2**64 - 1, 2**64 + 3, 2**127 + 12345, 2**128 - 1, "jumped"]
RANGES = [(0, 6), (-3, -2), (-(2**31), 2**31), (0, 2**32 - 1), (-5, 2**40), (0, 3_000_000_001)]
RANGES += [(-(2**63), 2**63 - 1), (0, 2**62 + 1), (17, 18 + 2**32), (0, 1000)]


def checksum(words):
    """FNV-1a, by 64-bit words."""
    result = 0xCBF29CE484222325
    for word in words:
        result = (result ^ int(word)) * 0x100000001B3 % 2**64
    return f"{result:016x}"


def line(seed, key, skip):
    sequence = SeedSequence(seed, spawn_key=key)
    words = sequence.generate_state(9)
    bits = PCG64DXSM(sequence)
    if skip == "jumped":
        bits = bits.jumped()
    elif skip:
        bits.advance(skip)
    generator = Generator(bits)
    sums = [
        checksum(words),
        checksum(bits.random_raw(50)),
        checksum(generator.random(50).view("u8")),
        checksum(generator.standard_normal(500).view("u8")),
        checksum(generator.standard_exponential(500).view("u8")),
        checksum(int(generator.integers(*ends)) % 2**64 for ends in RANGES * 9),
        checksum(int(generator.integers(2**63 - 9, 2**64 - 1, dtype="u8")) for _ in range(9)),
        checksum(numpy.array([generator.uniform(-3.5, 11.25) for _ in range(9)]).view("u8")),
        checksum(numpy.array([generator.normal(1e3, 7.7) for _ in range(9)]).view("u8")),
        checksum(numpy.array([generator.exponential(0.3) for _ in range(9)]).view("u8")),
        # An odd number of halves, so that one is left over.
        checksum(generator.integers(0, 2**32 - 1) for _ in range(4 + skip_parity(skip))),
    ]
    state = bits.state
    half = state["uinteger"] if state["has_uint32"] else "-"
    words = " ".join(map(str, key)) or "-"
    return "; ".join([str(seed), words, str(skip), *sums, f"{state['state']['state']:032x}", str(half)])


def skip_parity(skip):
    return 1 if skip == "jumped" else skip % 2


if __name__ == "__main__":
    for number, seed in enumerate(SEEDS):
        for key in KEYS:
            print(line(seed, key, SKIPS[number % len(SKIPS)]))
    for skip in SKIPS:
        print(line(2024, (1, 2), skip))
