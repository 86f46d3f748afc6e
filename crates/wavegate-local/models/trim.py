#!/usr/bin/env python3
"""Writes the service models that the local cloud speaks by, from AWS's own as botocore carries them.

    trim.py            write the models
    trim.py --check    say which differ from AWS's, and write nothing

A model here is AWS's, cut down to the operations that `offered.json` lists and the shapes these need,
without documentation. `absent` has the names of the other operations, so that a call of one can be
refused in words. `corrections.json` has what AWS was seen to answer otherwise than its model says, in
shapes and, by the name `metadata`, in what the model says of the service.
"""

import gzip
import json
import sys
from pathlib import Path

import botocore

HERE = Path(__file__).parent
# The release whose models these are: the one that `.ci/requirements.txt` pins.
BOTOCORE = "1.44.5"
METADATA = ["apiVersion", "awsQueryCompatible", "endpointPrefix", "jsonVersion", "protocols",
            "serviceId", "signingName", "targetPrefix", "xmlNamespace"]
# What a server needs of an operation and of a shape.
OPERATION = ["http", "input", "output", "errors"]
SHAPE = ["type", "required", "members", "member", "key", "value", "min", "max", "pattern", "enum",
         "sensitive", "payload", "flattened", "locationName", "timestampFormat", "error",
         "exception", "fault", "eventstream", "event", "union"]
REFERENCE = ["shape", "location", "locationName", "flattened", "xmlAttribute", "eventpayload",
             "streaming"]


def pick(thing, keys):
    return {key: thing[key] for key in keys if key in thing}


def reference(member):
    return pick(member, REFERENCE)


def shape(full):
    kept = pick(full, SHAPE)
    if "members" in kept:
        kept["members"] = {name: reference(member) for name, member in kept["members"].items()}
    for part in ("member", "key", "value"):
        if part in kept:
            kept[part] = reference(kept[part])
    return kept


def reachable(model, operations):
    todo = []
    for operation in operations.values():
        todo += [operation[end]["shape"] for end in ("input", "output") if end in operation]
        todo += [error["shape"] for error in operation.get("errors", [])]
    found = {}
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found[name] = shape(model["shapes"][name])
        parts = list(found[name].get("members", {}).values())
        parts += [found[name][part] for part in ("member", "key", "value") if part in found[name]]
        todo += [part["shape"] for part in parts]
    return found


def operation(full):
    kept = pick(full, OPERATION)
    kept["http"] = pick(kept["http"], ["method", "requestUri", "responseCode"])
    for end in ("input", "output"):
        if end in kept:
            # The output of the query protocol is wrapped; its name is the operation's own.
            kept[end] = pick(kept[end], ["shape", "resultWrapper", "locationName"])
    if "errors" in kept:
        kept["errors"] = [pick(error, ["shape"]) for error in kept["errors"]]
    return kept


def trimmed(service, version, offered, corrections):
    path = Path(botocore.__file__).parent / "data" / service / version / "service-2.json.gz"
    model = json.loads(gzip.decompress(path.read_bytes()))
    unknown = set(offered) - set(model["operations"])
    if unknown:
        sys.exit(f"{service} has no operations {sorted(unknown)}")
    operations = {name: operation(model["operations"][name]) for name in offered}
    shapes = reachable(model, operations)
    metadata = pick(model["metadata"], METADATA)
    metadata.update(pick(corrections.get("metadata", {}), METADATA))
    for name, changes in corrections.items():
        if name == "metadata":
            continue
        for key, value in changes.items():
            if key == "why":
                continue
            # `enum+` adds to what is there, any other key takes its place.
            now = shapes[name].get(key.rstrip("+"))
            if now == value or (key == "enum+" and set(value) <= set(now)):
                sys.exit(f"{service}: AWS's model says by now what is corrected: {name}.{key}")
            shapes[name][key.rstrip("+")] = now + value if key == "enum+" else value
    return {
        "metadata": metadata,
        "operations": operations,
        "absent": sorted(set(model["operations"]) - set(offered)),
        "shapes": shapes,
    }


def text(model):
    """One operation and one shape a line, so that changes can be read."""
    line = lambda thing: json.dumps(thing, sort_keys=True, separators=(",", ":"))
    block = lambda things: ",\n".join(f'  "{name}": {line(things[name])}' for name in sorted(things))
    return (
        "{\n"
        f'"metadata": {line(model["metadata"])},\n'
        f'"absent": {line(model["absent"])},\n'
        f'"operations": {{\n{block(model["operations"])}\n}},\n'
        f'"shapes": {{\n{block(model["shapes"])}\n}}\n'
        "}\n"
    )


def main():
    check = sys.argv[1:] == ["--check"]
    if botocore.__version__ != BOTOCORE:
        print(f"the models are those of botocore {BOTOCORE}, and this is {botocore.__version__}", file=sys.stderr)
        sys.exit(3)
    offered = json.loads((HERE / "offered.json").read_text())
    corrections = json.loads((HERE / "corrections.json").read_text())
    drifted = []
    for service, choice in offered.items():
        model = trimmed(service, choice["version"], choice["operations"], corrections.get(service, {}))
        path = HERE / f"{service}.json"
        wanted = text(model)
        if check:
            if not path.exists() or path.read_text() != wanted:
                drifted.append(path.name)
        else:
            path.write_text(wanted)
    if drifted:
        sys.exit(f"differ from AWS's models: {', '.join(drifted)}; write them with trim.py")


if __name__ == "__main__":
    main()
