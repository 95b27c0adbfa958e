"""What the footer of a Parquet file says of it: rows, row groups, columns and their bytes."""

import os
from pathlib import Path


def read_struct(data: bytes, at: int) -> tuple[dict, int]:
    """A struct of Thrift's compact protocol as a dict by field number, and where it ends."""

    def varint(at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value, at
            shift += 7

    def value(kind: int, at: int):
        match kind:
            case 1 | 2:
                return kind == 1, at
            case 3:
                return data[at], at + 1
            case 4 | 5 | 6:
                raw, at = varint(at)
                return (raw >> 1) ^ -(raw & 1), at
            case 7:
                return None, at + 8
            case 8:
                length, at = varint(at)
                return data[at : at + length], at + length
            case 9 | 10:
                size, kind = data[at] >> 4, data[at] & 15
                at += 1
                if size == 15:
                    size, at = varint(at)
                items = []
                for _ in range(size):
                    item, at = value(kind, at) if kind > 2 else (data[at] == 1, at + 1)
                    items.append(item)
                return items, at
            case 12:
                return read_struct(data, at)
        raise ValueError(f"type {kind} in a footer")

    found, number = {}, 0
    while data[at] != 0:
        head = data[at]
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            raw, at = varint(at)
            number = (raw >> 1) ^ -(raw & 1)
        found[number], at = value(head & 15, at)
    return found, at + 1


def table(path: Path) -> dict[str, float]:
    """Bytes, rows, row groups and columns of a Parquet file, and the bytes of its footer and of the column `hits`."""
    with open(path, "rb") as file:
        file.seek(-8, os.SEEK_END)
        length = int.from_bytes(file.read(4), "little")
        file.seek(-8 - length, os.SEEK_END)
        footer, _ = read_struct(file.read(length), 0)
    groups = footer[4]
    columns = [column[3] for group in groups for column in group[1]]
    hits = sum(column[7] for column in columns if column[3][0] == b"hits")
    size = path.stat().st_size
    return {
        "bytes": size,
        "rows": footer[3],
        "groups": len(groups),
        "columns": len(columns) / max(1, len(groups)),
        "footer": length,
        "hits": hits,
    }
