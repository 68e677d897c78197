"""Reads replies with botocore, the AWS CLI's library, and prints what it missed.

Standard input: {"service": name, "version": API version, "replies": [{"action": name, "body": XML or JSON}]}.
Standard output: {"missed": [path, ...], "members": number of members that were read}.

Every reply has all members of its shape set, strings to the member's own name. So
a member that botocore's model has and the parsed reply lacks, or whose string is
another's name, is one that the codec writes wrongly.
"""

import json
import sys

import botocore.loaders
import botocore.model
import botocore.parsers

asked = json.load(sys.stdin)
loader = botocore.loaders.create_loader()
model = botocore.model.ServiceModel(
    loader.load_service_model(asked["service"], "service-2", asked["version"]), asked["service"]
)
parser = botocore.parsers.create_parser(model.protocol)
missed, members = [], 0


def walk(path, shape, value, above):
    global members
    if shape.type_name == "structure":
        if shape.name in above:  # a shape within itself is set to one level only
            return
        for name, member in shape.members.items():
            if name not in value:
                missed.append(f"{path}.{name}: absent")
                continue
            members += 1
            walk(f"{path}.{name}", member, value[name], above | {shape.name})
            if member.type_name == "string" and not member.enum and value[name].lower() != name.lower():
                missed.append(f"{path}.{name}: holds {value[name]!r}")
            if member.type_name == "string" and member.enum and value[name] not in member.enum:
                missed.append(f"{path}.{name}: {value[name]!r} isn't in its enum")
    elif shape.type_name == "list":
        if len(value) != 2:
            missed.append(f"{path}: has {len(value)} items, not 2")
        for item in value:
            walk(path + "[]", shape.member, item, above)


for reply in asked["replies"]:
    operation = model.operation_model(reply["action"])
    parsed = parser.parse(
        {"headers": {"x-amzn-requestid": "id"}, "status_code": 200, "body": reply["body"].encode()}, operation.output_shape
    )
    if not parsed["ResponseMetadata"].get("RequestId"):
        missed.append(f"{reply['action']}: no request id")
    if operation.output_shape is not None:
        walk(reply["action"], operation.output_shape, parsed, frozenset())

json.dump({"missed": missed, "members": members}, sys.stdout)
