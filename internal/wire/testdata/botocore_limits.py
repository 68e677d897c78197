"""Tells what botocore's model of ELBv2 bounds in requests: shape → member → limit, as JSON."""
import json

import botocore.loaders

model = botocore.loaders.Loader().load_service_model("elbv2", "service-2", api_version="2015-12-01")
shapes = model["shapes"]
inputs = {op["input"]["shape"]: name + "Input" for name, op in model["operations"].items() if "input" in op}
limits, seen, left = {}, set(), list(inputs)
while left:
    name = left.pop()
    if name in seen:
        continue
    seen.add(name)
    shape = shapes[name]
    if shape["type"] == "list":
        left.append(shape["member"]["shape"])
    for member, of in shape.get("members", {}).items():
        left.append(of["shape"])
        limit = {k: v for k, v in shapes[of["shape"]].items() if k in ("min", "max", "pattern") and v}
        if limit:
            limits.setdefault(inputs.get(name, name), {})[member] = limit
print(json.dumps(limits))
