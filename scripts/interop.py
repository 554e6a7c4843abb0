"""What other libraries write, as pipa reads it: see scripts/interop.

interop.py PIPA FOLDER [--only TEXT] [--record FILE]

Every kind of stream goes through every library, container and change, and then
200 times through a drawn combination of them. What pipa makes of it must have the
ids, digests and pixels that went in. --record writes what this pipa reads to FILE,
as scripts/interop-before.tsv was written by the version that asked for its own bytes.
"""

import argparse
import io
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

os.environ["HF_DATASETS_OFFLINE"] = os.environ["HF_HUB_OFFLINE"] = "1"

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROWS = 8


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, **options)


# The streams, as pipa writes them.


def kinds(pipa, folder):
    """Makes a stream and a Parquet folder of each kind."""
    data = folder / "data"
    if not data.exists():
        run(pipa, "fixtures", data, "--width", "96", "--gta", "8", "--train", "8", "--val", "2", "--domains", "gta,cityscapes", "--progress", "never")
    gta, city = f"{pipa} read gta {data}/gta", f"{pipa} read cityscapes {data}/cityscapes --unlabelled"
    crop = f"{pipa} augment --crop 32x64"
    lines = {
        "samples": f"{gta} | {crop}",
        "varying": gta,
        "unlabelled": f"{city} | {crop}",
        "mixes": f"{gta} | {crop} | {pipa} classmix --target <({city} | {crop})",
        "pairs": f"{city} | {pipa} crops --size 24 --base 40",
        "labelled-pairs": f"{gta} | {pipa} crops --size 24 --base 40",
    }
    for name, line in lines.items():
        run("bash", "-o", "pipefail", "-c", f"{line} > {folder}/{name}.arrows")
        run(pipa, "write", "--format", "parquet", "--force", folder / f"{name}.table", folder / f"{name}.arrows")
    return list(lines)


def stream(path):
    with pa.OSFile(str(path)) as f:
        return pa.ipc.open_stream(f).read_all()


# What a table is compared by.


def plain(column):
    """A column without the extension type."""
    if isinstance(column.type, pa.ExtensionType):
        chunks = [c.storage for c in (column.chunks if isinstance(column, pa.ChunkedArray) else [column])]
        return pa.chunked_array(chunks, chunks[0].type) if chunks else pa.chunked_array([], column.type.storage_type)
    return column


def raw(column):
    return [None if v is None else bytes(v) for v in plain(column).to_pylist()]


def content(table):
    out = {}
    for name in table.column_names:
        column = table[name]
        raster = name.startswith(("image", "label", "mask"))
        out[name] = raw(column) if raster else plain(column).to_pylist()
    return out


# Changes of a table by pyarrow. Each takes and returns a table.


def rebuilt(table, columns, metadata="keep"):
    fields, arrays = [], []
    for name, column in columns:
        field = column[1] if isinstance(column, tuple) else pa.field(name, column.type)
        arrays.append(column[0] if isinstance(column, tuple) else column)
        fields.append(field)
    schema = pa.schema(fields, metadata=table.schema.metadata if metadata == "keep" else metadata)
    return pa.Table.from_arrays(arrays, schema=schema)


def mapped(table, change):
    return rebuilt(table, [(n, change(n, table[n])) for n in table.column_names])


def no_writer(table):
    return table.replace_schema_metadata({k: v for k, v in table.schema.metadata.items() if k != b"pipa.writer"})


def is_raster(name):
    return name.startswith(("image", "label", "mask"))


def cast(kind, to):
    def one(name, column):
        if is_raster(name) and kind == "raster":
            values = raw(column)
            if to == "nested":
                return pa.array([None if v is None else list(v) for v in values], pa.list_(pa.int16()))
            if str(to).startswith(("list", "large_list")):
                return pa.array([None if v is None else np.frombuffer(v, np.uint8) for v in values], to)
            return pa.array(values, to)
        if kind == "text" and not is_raster(name) and (pa.types.is_string(column.type) or pa.types.is_dictionary(column.type)):
            return column.cast(pa.string()).cast(to) if not callable(to) else to(column.cast(pa.string()))
        if kind == "int" and pa.types.is_int32(column.type):
            return column.cast(to)
        return column

    return lambda table: mapped(table, one)


def tensors(order, names=None):
    """Image columns as tensors whose elements lie in another order."""

    def one(name, column):
        if not isinstance(column.type, pa.FixedShapeTensorType) or len(column.type.shape) != 3:
            return column
        h, w, c = column.type.shape
        a = np.stack([np.frombuffer(v, np.uint8).reshape(h, w, c).transpose(order) for v in raw(column)])
        flat = pa.FixedSizeListArray.from_arrays(pa.array(a.reshape(-1)), h * w * c)
        back = [order.index(i) for i in range(3)]  # logical i is physical back[i]
        t = pa.fixed_shape_tensor(pa.uint8(), a.shape[1:], dim_names=names, permutation=None if names else back)
        return pa.chunked_array([pa.ExtensionArray.from_storage(t, flat)])

    return lambda table: mapped(table, one)


def png(table):
    """Rasters as Hugging Face's image struct, with heights and widths dropped."""
    from PIL import Image

    def size(i):
        if "height" in table.column_names:
            return table["height"][i].as_py(), table["width"][i].as_py()
        side = int((len(raw(table["image_a"])[i]) // 3) ** 0.5)
        return side, side

    def one(name, column):
        if not is_raster(name):
            return column
        out = []
        for i, v in enumerate(raw(column)):
            if v is None:
                out.append(None)
                continue
            h, w = size(i)
            a = np.frombuffer(v, np.uint8).reshape((h, w, 3) if name.startswith("image") else (h, w))
            b = io.BytesIO()
            Image.fromarray(a).save(b, "PNG")
            out.append({"bytes": b.getvalue(), "path": None})
        return pa.array(out, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))

    return mapped(table, one)


def nullable(table):
    def one(name, column):
        return (plain(column), pa.field(name, plain(column).type, nullable=True))

    return rebuilt(table, [(n, one(n, table[n])) for n in table.column_names])


def extra(table):
    n = table.num_rows
    columns = {
        "when": pa.array([0] * n, pa.timestamp("us")),
        "note": pa.array([None] * n, pa.string()),
        "nothing": pa.nulls(n),
        "tags": pa.array([[("a", 1)]] * n, pa.map_(pa.string(), pa.int32())),
        "scores": pa.array([{"x": 1.5, "y": [1, 2]}] * n),
        "price": pa.array([None] * n, pa.decimal128(10, 2)),
    }
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table


def reordered(table):
    return table.select(table.column_names[::-1])


def sliced(table):
    """Batches that are parts of longer ones: buffers have more than their rows."""
    return pa.concat_tables([table.slice(i, 3) for i in range(0, table.num_rows, 3)])


def no_digest(table):
    return table.drop_columns(["digest"])


CHANGES = {
    "none": lambda t: t,
    "no pipa.writer": no_writer,
    "metadata lost": lambda t: t.replace_schema_metadata(None),
    "a key added": lambda t: t.replace_schema_metadata({**t.schema.metadata, b"mine": b"1"}),
    "no digest": no_digest,
    "reordered": reordered,
    "columns added": extra,
    "sliced": sliced,
    "nullable": nullable,
    "large text": cast("text", pa.large_string()),
    "text views": cast("text", pa.string_view()),
    "dictionaries": cast("text", lambda c: c.dictionary_encode()),
    "int64": cast("int", pa.int64()),
    "large binary": cast("raster", pa.large_binary()),
    "binary views": cast("raster", pa.binary_view()),
    "lists": cast("raster", pa.list_(pa.uint8())),
    "large lists": cast("raster", pa.large_list(pa.uint8())),
    "lists of int16": cast("raster", "nested"),
    "tensors CHW, permuted": tensors((2, 0, 1)),
    "tensors CHW, by name": tensors((2, 0, 1), ["C", "H", "W"]),
    "image structs": png,
}


# Containers by library.


def write_stream(table, path, **options):
    with pa.OSFile(str(path), "wb") as f, pa.ipc.new_stream(f, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as w:
        w.write_table(table)


def write_file(table, path, **options):
    with pa.OSFile(str(path), "wb") as f, pa.ipc.new_file(f, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as w:
        w.write_table(table)


def by_pyarrow(container, change, **options):
    def write(name, folder, out):
        table = CHANGES[change](stream(folder / f"{name}.arrows"))
        if container == "folder":
            path = out.with_suffix("")
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()
            for i in range(0, table.num_rows, 3):
                pq.write_table(table.slice(i, 3), path / f"{i:03}.parquet", **options)
            return path
        path = out.with_suffix({"stream": ".arrows", "file": ".arrow", "parquet": ".parquet"}[container])
        {"stream": write_stream, "file": write_file, "parquet": pq.write_table}[container](table, path, **options)
        return path

    return write


def stripped(table):
    return rebuilt(table, [(n, (plain(table[n]), pa.field(n, plain(table[n]).type))) for n in table.column_names])


def by_polars(container, metadata=False, **options):
    def write(name, folder, out):
        table = stripped(stream(folder / f"{name}.arrows"))
        frame = pl.from_arrow(table)
        if container == "table":
            frame = pl.read_parquet(folder / f"{name}.table" / "part-00000.parquet")
        path = out.with_suffix({"stream": ".arrows", "file": ".arrow", "parquet": ".parquet", "table": ".parquet"}[container])
        if metadata:
            write_stream(frame.to_arrow().replace_schema_metadata(table.schema.metadata), path)
        elif container == "stream":
            frame.write_ipc_stream(path, **options)
        elif container == "file":
            frame.write_ipc(path, **options)
        else:
            frame.write_parquet(path, **options)
        return path

    return write


def by_duckdb(container, metadata=False, options=""):
    def write(name, folder, out):
        table = stripped(stream(folder / f"{name}.arrows"))
        con = duckdb.connect()
        source = "t"
        con.register("t", table)
        if container == "table":
            source = f"'{folder}/{name}.table/part-00000.parquet'"
        if container in ("parquet", "table"):
            path = out.with_suffix(".parquet")
            con.sql(f"COPY (SELECT * FROM {source}) TO '{path}' (FORMAT parquet {options})")
            return path
        path = out.with_suffix(".arrows" if container == "stream" else ".arrow")
        result = con.sql("SELECT * FROM t").to_arrow_table()
        if metadata:
            result = result.replace_schema_metadata(table.schema.metadata)
        (write_stream if container == "stream" else write_file)(result, path)
        return path

    return write


def by_pandas(container, **options):
    def write(name, folder, out):
        table = stripped(stream(folder / f"{name}.arrows"))
        frame = table.to_pandas()
        if container == "table":
            frame = pd.read_parquet(folder / f"{name}.table" / "part-00000.parquet")
        path = out.with_suffix({"stream": ".arrows", "file": ".feather", "parquet": ".parquet", "table": ".parquet"}[container])
        if container == "stream":
            write_stream(pa.Table.from_pandas(frame), path)
        elif container == "file":
            frame.to_feather(path, **options)
        else:
            frame.to_parquet(path, **options)
        return path

    return write


def by_datasets(container):
    def write(name, folder, out):
        import datasets

        datasets.disable_progress_bars()
        data = datasets.Dataset.from_parquet(str(folder / f"{name}.table" / "part-00000.parquet"), cache_dir=str(folder / "cache"))
        if container == "parquet":
            path = out.with_suffix(".parquet")
            data.to_parquet(path)
            return path
        path = out.with_suffix("")
        shutil.rmtree(path, ignore_errors=True)
        data.save_to_disk(path)
        return path

    return write


def matrix():
    for change in CHANGES:
        for container in ("stream", "file", "parquet"):
            yield "pyarrow", container, change, by_pyarrow(container, change)
    for codec in ("zstd", "lz4"):
        yield "pyarrow", "stream", codec, by_pyarrow("stream", "none", compression=codec)
        yield "pyarrow", "file", codec, by_pyarrow("file", "none", compression=codec)
    for codec in ("none", "zstd", "gzip", "brotli", "lz4"):
        yield "pyarrow", "parquet", codec, by_pyarrow("parquet", "none", compression=codec)
    yield "pyarrow", "parquet", "pages of version 2", by_pyarrow("parquet", "none", data_page_version="2.0")
    yield "pyarrow", "parquet", "image structs, pages of version 2", by_pyarrow("parquet", "image structs", data_page_version="2.0", compression="zstd")
    yield "pyarrow", "parquet", "no dictionaries", by_pyarrow("parquet", "none", use_dictionary=False)
    yield "pyarrow", "folder", "none", by_pyarrow("folder", "none")
    yield "pyarrow", "folder", "metadata lost", by_pyarrow("folder", "metadata lost")
    for container in ("stream", "file", "parquet", "table"):
        yield "polars", container, "none", by_polars(container)
    yield "polars", "stream", "metadata put back", by_polars("stream", metadata=True)
    yield "polars", "stream", "oldest layout", by_polars("stream", compat_level=pl.CompatLevel.oldest())
    for codec in ("lz4", "zstd"):
        yield "polars", "stream", codec, by_polars("stream", compression=codec)
        yield "polars", "file", codec, by_polars("file", compression=codec)
    for codec in ("uncompressed", "snappy", "gzip", "brotli", "lz4"):
        yield "polars", "parquet", codec, by_polars("parquet", compression=codec)
    for container in ("stream", "file", "parquet", "table"):
        yield "DuckDB", container, "none", by_duckdb(container)
    yield "DuckDB", "stream", "metadata put back", by_duckdb("stream", metadata=True)
    for option in ("zstd", "gzip", "lz4_raw", "brotli", "uncompressed"):
        yield "DuckDB", "parquet", option, by_duckdb("parquet", options=f", COMPRESSION {option}")
    yield "DuckDB", "parquet", "encodings of version 2", by_duckdb("parquet", options=", PARQUET_VERSION v2")
    for container in ("stream", "file", "parquet", "table"):
        yield "pandas", container, "none", by_pandas(container)
    for container in ("parquet", "disk"):
        yield "datasets", container, "none", by_datasets(container)


# Drawn combinations.


def drawn(number):
    rng = random.Random(number)
    pick = rng.choice

    def write(name, folder, out):
        table = stream(folder / f"{name}.arrows")
        chosen = []

        def may(change, odds=0.5):
            nonlocal table
            if rng.random() < odds:
                chosen.append(change)
                table = CHANGES[change](table)

        may(pick(["large binary", "binary views", "lists", "large lists", "lists of int16", "tensors CHW, permuted", "tensors CHW, by name", "image structs", "none"]), 0.8)
        may(pick(["large text", "text views", "dictionaries"]))
        may("int64")
        may("nullable")
        may("columns added")
        if rng.random() < 0.5:
            names = table.column_names
            rng.shuffle(names)
            table = table.select(names)
            chosen.append("shuffled")
        may("no digest", 0.2)
        may(pick(["no pipa.writer", "metadata lost", "a key added"]), 0.6)
        may("sliced", 0.4)
        container = pick(["stream", "file", "parquet"])
        write.says = f"{number}: {name}, {container}, {', '.join(chosen)}"
        path = out.with_suffix({"stream": ".arrows", "file": ".arrow", "parquet": ".parquet"}[container])
        if container == "parquet":
            pq.write_table(table, path, compression=pick(["none", "snappy", "zstd", "gzip", "brotli", "lz4"]), use_dictionary=pick([True, False]),
                           data_page_version=pick(["1.0", "2.0"]), row_group_size=pick([2, 100]))
        else:
            (write_stream if container == "stream" else write_file)(table, path, compression=pick([None, "zstd", "lz4"]))
        return path

    return write


# Running and comparing.


def check(pipa, folder, name, write, out):
    """What is wrong, or None."""
    try:
        path = write(name, folder, out)
    except Exception as e:  # the library cannot write it
        return f"not written: {type(e).__name__}: {str(e)[:100]}"
    back = out.with_suffix(".back")
    p = subprocess.run([pipa, "cat", path, "-o", back, "--force", "--progress", "never"], capture_output=True, text=True)
    if p.returncode != 0:
        return p.stderr.strip()[-400:]
    got, want = content(stream(back)), content(stream(folder / f"{name}.arrows"))
    for column, values in want.items():
        if got.get(column) != values:
            return f"column {column} is other than it was"
    back.unlink()
    (shutil.rmtree if path.is_dir() else os.unlink)(path)
    return None


def fixtures(pipa, folder, to):
    """Two small rows by each library and in each container, for tests without them."""
    small = folder / "small"
    small.mkdir(exist_ok=True)
    for name, line in {"samples": "augment --crop 8x12", "pairs": "crops --size 8 --base 12"}.items():
        run("bash", "-o", "pipefail", "-c", f"{pipa} read gta {folder}/data/gta --limit 2 | {pipa} {line} -o {small}/{name}.arrows --force")
        run(pipa, "write", "--format", "parquet", "--force", small / f"{name}.table", small / f"{name}.arrows")
        shutil.copy(small / f"{name}.arrows", to / f"{name}.arrows")
        for lib, container, change, write in matrix():
            if change in ("none", "image structs", "tensors CHW, permuted", "zstd", "encodings of version 2", "text views", "pages of version 2"):
                path = write(name, small, to / f"{name}-{lib}-{container}-{change}".replace(" ", "_").replace(",", "").lower())
                if path.is_dir():
                    shutil.rmtree(path)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("pipa", type=pathlib.Path)
    a.add_argument("folder", type=pathlib.Path)
    a.add_argument("--only", default="")
    a.add_argument("--record", type=pathlib.Path)
    a.add_argument("--drawn", type=int, default=200)
    a.add_argument("--fixtures", type=pathlib.Path, help="write two small rows by each library there, as formats/open/testdata has them")
    a = a.parse_args()
    pipa, start = a.pipa.resolve(), time.time()
    shutil.rmtree(a.folder / "out", ignore_errors=True)
    (a.folder / "out").mkdir(parents=True, exist_ok=True)
    names = kinds(pipa, a.folder)
    if a.fixtures:
        return fixtures(pipa, a.folder, a.fixtures)
    jobs = [(lib, container, change, name, write) for lib, container, change, write in matrix() for name in names
            if a.only in f"{lib} {container} {change} {name}"]
    rng = random.Random(1)
    jobs += [("drawn", "", str(i), rng.choice(names), drawn(i)) for i in range(a.drawn) if a.only in "drawn"]

    def one(job):
        i, (lib, container, change, name, write) = job
        return check(pipa, a.folder, name, write, a.folder / "out" / f"{i:04}")

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(one, enumerate(jobs)))
    table, failed, unwritten = {}, [], []
    for (lib, container, change, name, write), wrong in zip(jobs, results):
        key = (lib, container, change if lib != "drawn" else f"{a.drawn} combinations")
        good, all_ = table.get(key, (0, 0))
        if wrong and wrong.startswith("not written"):
            unwritten.append(f"{lib} {container} {change} {name}: {wrong}")
            continue
        table[key] = (good + (wrong is None), all_ + 1)
        if wrong:
            failed.append(f"{getattr(write, 'says', f'{lib}, {container}, {change}, {name}')}: {wrong}")
    if a.record:
        a.record.write_text("".join("\t".join([*k, f"{g}/{n}"]) + "\n" for k, (g, n) in table.items()))
    if not a.only and not a.record:
        failed += lines(pipa, a.folder)
        failed += folders(pipa, a.folder, names)
        failed += digests(a.folder, names)
    print("\n".join(failed + unwritten))
    good, n = (sum(v[i] for v in table.values()) for i in (0, 1))
    print(f"{good} of {n} tables are read as they were written, {len(unwritten)} cannot be written; {time.time() - start:.0f} s")
    if not a.only and not a.record:
        document(table, good, n)
    sys.exit(bool(failed))


# The programs that the documentation prints.


def programs(folder):
    """Writes the Python programs of the pages, whose first line is their name."""
    pages = (ROOT / "docs/pipes.md").read_text() + (ROOT / "docs/datasets.md").read_text()
    for block in pages.split("```python\n# ")[1:]:
        name, text = block.split("```")[0].split("\n", 1)
        if len(text.splitlines()) > 10:
            raise ValueError(f"{name} has more than ten lines")
        (folder / name).write_text(text)


def lines(pipa, folder):
    """What is wrong with lines of pipa and those programs."""
    programs(folder)
    python, train = sys.executable, os.environ.get("PIPA_TORCH") or (ROOT / "build/libpipatorch.so").exists()
    config = folder / "tiny.yaml"
    config.write_text("""extends: fixture-dacs
iterations: 1
source: {crop: [32, 64], batch: 1}
target: {crop: [32, 64], resize: [48, 96], batch: 1}
network: {dims: [8, 16, 40, 64], depths: [1, 1, 1, 1], channels: 16}
adapt: {start: 0, ignore_top: 1, ignore_bottom: 1}
eval: {every: -1}
threads: 1
""")
    for name in sorted(p.stem for p in folder.glob("*.arrows")):
        for program in ("darker", "even", "chosen"):
            line = f"{python} {folder}/{program}.py < {folder}/{name}.arrows > {folder}/out/program.arrows && {pipa} view -o {folder}/out/{name}.png --force {folder}/out/program.arrows --progress never"
            p = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True)
            kept = stream(folder / "out/program.arrows").num_rows
            if p.returncode and not (kept == 0 and "no rows" in p.stderr):
                yield f"{program}.py, {name}: {p.stderr[-400:]}"
            if program == "darker":
                back = folder / "out/program.back"
                run(pipa, "cat", folder / "out/program.arrows", "-o", back, "--force")
                got, want = content(stream(back)), content(stream(folder / f"{name}.arrows"))
                for column, values in want.items():
                    if column.startswith("image"):
                        values = [bytes(np.frombuffer(v, np.uint8) // 2) for v in values]
                    if column != "digest" and got[column] != values:
                        yield f"darker.py, {name}: column {column} is not what the program makes"
            if train and name == "samples":
                shutil.rmtree(folder / "out/run", ignore_errors=True)
                line = f"{python} {folder}/{program}.py < {folder}/samples.arrows | {pipa} train --config {config} --source - --target {folder}/data/cityscapes --out {folder}/out/run --device cpu"
                p = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True)
                if p.returncode:
                    yield f"{program}.py into a training: {p.stderr[-400:]}"


def digests(folder, names):
    """What is wrong with the digests that docs/datasets.md lets one make."""
    sys.path.insert(0, str(folder))
    import struct

    from digest import data, digest, number, raster, sample

    def float32(v):
        return number(struct.unpack("<I", struct.pack("<f", v))[0])

    def fields(r, table):
        if "image_a" not in r:
            out = sample(*(r[k] for k in ("id", "dataset", "split", "height", "width", "image", "label")))
            if "mask" in r:
                out += data(r["target_id"].encode()) + raster(r["height"], r["width"], r["mask"]) + data(bytes(r["classes"])) + float32(r["weight"])
            return out
        h, w, _ = table.schema.field("image_a").type.shape
        out = data(r["id"].encode())
        for c in "ab":
            out += raster(h, w, r[f"image_{c}"]) + raster(h, w, r[f"label_{c}"])
            out += b"".join(number(v) for v in r[f"overlap_{c}"] + r[f"origin_{c}"] + [r[f"flip_{c}"]])
        return out + float32(r["scale"])

    for name in names:
        table = stream(folder / f"{name}.arrows")
        columns = content(table)
        for i in range(table.num_rows):
            r = {k: v[i] for k, v in columns.items()}
            if digest(fields(r, table)) != r["digest"]:
                yield f"{name}: row {i} has digest {r['digest']:016x}, the page makes {digest(fields(r, table)):016x}"


# pipa's Parquet folders, as tools read them.


def folders(pipa, folder, names):
    """What is wrong with reading folders as they lie."""
    import datasets
    import pyarrow.dataset

    datasets.disable_progress_bars()
    val = folder / "val.table"
    run("bash", "-o", "pipefail", "-c", f"{pipa} read cityscapes {folder}/data/cityscapes --split val | {pipa} write --format parquet {val} --force")
    sql = (ROOT / "README.md").read_text().split("```sql\n")[1].split("```")[0]
    for path in [folder / f"{name}.table" for name in names] + [val]:
        rows = 2 if path == val else ROWS
        readers = {
            "pq.read_table": lambda: pq.read_table(path).num_rows,
            "pyarrow.dataset": lambda: pyarrow.dataset.dataset(path).count_rows(),
            "pd.read_parquet": lambda: len(pd.read_parquet(path)),
            "pl.read_parquet": lambda: len(pl.read_parquet(path)),
            "DuckDB": lambda: duckdb.connect().sql(f"SELECT count(*) FROM '{path}/*.parquet'").fetchall()[0][0],
            "DuckDB, README's SQL": lambda: rows if all(len(duckdb.connect().sql(q.replace("table/", f"{path}/")).columns) == 2 for q in sql.split(";\n") if q.strip()) else 0,
            "load_dataset": lambda: len(datasets.load_dataset(str(path), cache_dir=str(folder / "cache"))["validation" if path == val else "train"]),
        }
        for name, reader in readers.items():
            try:
                n = reader()
            except Exception as e:
                n = f"{type(e).__name__}: {str(e)[:200]}"
            if n != rows:
                yield f"{name} of {path.name}: {n}, want {rows} rows"


def document(table, good, n):
    before = {}
    for line in (ROOT / "scripts/interop-before.tsv").read_text().splitlines():
        *key, count = line.split("\t")
        before[tuple(key)] = count
    rows = [f"| {lib} | {container} | {change} | {before.get((lib, container, change), '')} | {g}/{m} |" for (lib, container, change), (g, m) in table.items()]
    path = ROOT / "docs/interop.md"
    text = path.read_text()
    head, mark = text.split("<!-- written by make interop -->")[0], "<!-- written by make interop -->"
    versions = ", ".join(l.strip().replace("==", " ") for l in (ROOT / "scripts/interop.txt").read_text().splitlines())
    path.write_text(f"{head}{mark}\n\n{good} of {n}, with {versions}.\n\n| library | container | change | before | now |\n| --- | --- | --- | ---: | ---: |\n" + "\n".join(rows) + "\n")


main()
