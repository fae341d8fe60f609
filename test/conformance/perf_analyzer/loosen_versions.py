"""Lets a program of Linux start where glibc or libstdc++ is older than what it was linked with.

usage: loosen_versions.py PROGRAM COPY

Every version that the program needs of its libraries is marked as weak in the copy, so that the loader warns of a missing one
instead of giving up. What is missing of symbols must be brought by LD_PRELOAD (missing_symbols.cpp).
"""

import struct
import sys

SHT_GNU_VERNEED = 0x6FFFFFFE
VER_FLG_WEAK = 0x2


def sections(elf):
    """(type, offset) of each section of a 64-bit little-endian file."""
    (table,) = struct.unpack_from("<Q", elf, 0x28)
    size, count = struct.unpack_from("<HH", elf, 0x3A)
    for index in range(count):
        kind = struct.unpack_from("<I", elf, table + index * size + 4)[0]
        yield kind, struct.unpack_from("<Q", elf, table + index * size + 0x18)[0]


def loosen(elf):
    for kind, need in sections(elf):
        while kind == SHT_GNU_VERNEED:
            _, count, _, first, next_need = struct.unpack_from("<HHIII", elf, need)
            version = need + first
            for _ in range(count):
                flags = struct.unpack_from("<H", elf, version + 4)[0]
                struct.pack_into("<H", elf, version + 4, flags | VER_FLG_WEAK)
                version += struct.unpack_from("<I", elf, version + 12)[0]
            if next_need == 0:
                break
            need += next_need


program, copy = sys.argv[1:]
content = bytearray(open(program, "rb").read())
loosen(content)
open(copy, "wb").write(content)
