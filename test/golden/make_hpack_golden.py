"""Makes hpack.json: what the `hpack` of python-hyper writes.

    python make_hpack_golden.py > hpack.json        (the file names the versions)

symbols: the Huffman code of each byte alone. sequences: blocks of one encoder each, with the headers that are in them,
while its table fills, overflows and is resized.
"""
import json
import platform
import random
from importlib.metadata import version

from hpack import Encoder
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

generator = random.Random(7541)
huffman = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)

NAMES = [":path", "grpc-timeout", "authorization", "content-type", "x-trace", "x-a", "cookie", "user-agent", "x-data-bin"]


def text(length):
    return "".join(chr(generator.randrange(32, 127)) for _ in range(length))


VALUES = ["POST", "/", "application/grpc", "", text(200)] + [text(generator.randrange(1, 40)) for _ in range(12)]


def sequence(is_huffman):
    encoder = Encoder()
    blocks = []
    for number in range(40):
        if number in (10, 11, 25):
            encoder.header_table_size = generator.choice([0, 100, 256])
        if number in (20, 30):
            encoder.header_table_size = 4096
        headers = [(generator.choice(NAMES), generator.choice(VALUES)) for _ in range(generator.randrange(1, 9))]
        # Sensitive headers are never put into a table.
        sent = [(name, value, generator.random() < 0.1) for name, value in headers]
        blocks.append({"bytes": encoder.encode(sent, huffman=is_huffman).hex(), "headers": headers})
    return blocks


print(json.dumps({
    "madeBy": "test/golden/make_hpack_golden.py",
    "versions": {"hpack": version("hpack"), "python": platform.python_version()},
    "symbols": [huffman.encode(bytes([symbol])).hex() for symbol in range(256)],
    "sequences": [sequence(True), sequence(False)],
}, separators=(",", ":")))
