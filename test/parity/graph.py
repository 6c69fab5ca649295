"""ONNX models as the Python `onnx` package writes them, and its opinion on what came out of ours.

graph.py write FOLDER           models into FOLDER; prints their names
graph.py compare A B            prints, by name, what differs between the models of two folders
graph.py schema                 prints the fields of the messages that a ModelProto is made of
graph.py check FILE             runs onnx.checker with shape inference; prints null, or what it says
graph.py normalize FILE N H W C prints torch's ToTensor and Normalize of the bytes in FILE
graph.py export FOLDER          a small network into FOLDER, exported by torch for batches of two (fixed.onnx) and of any
                                size (free.onnx); prints five images, and what torch makes of them
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.descriptor import FieldDescriptor as Field
from onnx import TensorProto, helper, numpy_helper


def main(command, *args):
    commands = [write, compare, schema, check, normalize, export]
    return {function.__name__: function for function in commands}[command](*args)


def write(folder):
    models = {
        "functions": functions(),
        "element_types": element_types(),
        "sparse": sparse(),
        "unknown": unknown(),
        **{f"filled{i}": filled(i) for i in range(6)},
    }
    folder = Path(folder)
    for name, model in models.items():
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    onnx.save(
        convolution(), folder / "external.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    return [*models, "external"]


def compare(a, b):
    differences = {}
    for path in sorted(Path(a).glob("*.onnx")):
        one, other = onnx.load(path), onnx.load(Path(b) / path.name)
        if path.stem == "external":
            # Loading has moved the data into the tensor, and left a mark.
            one.graph.initializer[0].ClearField("data_location")
        found = []
        if one != other:
            found.append("messages differ")
        # Parsed and written by the same library, fields that it does not know included.
        if one.SerializeToString(deterministic=True) != other.SerializeToString(deterministic=True):
            found.append("bytes differ")
        differences[path.stem] = found
    return differences


def schema():
    described = {}

    def describe(message):
        if message.full_name in described:
            return
        fields = described[message.full_name] = {}
        for field in message.fields:
            nested = field.message_type
            fields[field.number] = {
                "name": field.name,
                "type": nested.full_name if nested else TYPES[field.type],
                "repeated": field.is_repeated,
                "packed": field.is_packed,
            }
            if nested:
                describe(nested)

    describe(onnx.ModelProto.DESCRIPTOR)
    return described


def check(path):
    try:
        onnx.checker.check_model(path, full_check=True)
    except Exception as error:
        return str(error)


def normalize(path, *shape):
    import torch

    mean, std = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.2023, 0.1994, 0.2010])
    pixels = torch.from_numpy(np.fromfile(path, np.uint8).reshape([int(size) for size in shape]))
    images = pixels.permute(0, 3, 1, 2).contiguous().to(torch.float32).div(255)
    images = images.sub_(mean.view(-1, 1, 1)).div_(std.view(-1, 1, 1))
    return images.flatten().tolist()


def export(folder):
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
            self.bn = nn.BatchNorm2d(8)
            self.conv2 = nn.Conv2d(8, 6, 3, stride=2)
            self.fc = nn.Linear(6, 5)

        def forward(self, x):
            x = nn.functional.max_pool2d(torch.relu(self.bn(self.conv1(x))), 2, ceil_mode=True)
            x = torch.relu(self.conv2(x)).mean((2, 3), keepdim=True)
            return self.fc(x.view(x.size(0), -1))

    torch.manual_seed(0)
    network = Network().eval()
    names = {"input_names": ["image"], "output_names": ["logits"]}
    for name, axes in [("fixed", {}), ("free", {"image": {0: "n"}, "logits": {0: "n"}})]:
        path = str(Path(folder) / f"{name}.onnx")
        torch.onnx.export(network, (torch.zeros(2, 3, 9, 9),), path, dynamo=False, dynamic_axes=axes, **names)
    features = {}
    for name in ["conv1", "conv2"]:
        getattr(network, name).register_forward_hook(
            lambda module, inputs, output, name=name: features.update({name: output.mean((2, 3))})
        )
    images = torch.randn(5, 3, 9, 9)
    with torch.no_grad():
        features["logits"] = network(images)
    return {"images": images.flatten().tolist()} | {name: x.flatten().tolist() for name, x in features.items()}


TYPES = {
    Field.TYPE_INT64: "int64",
    Field.TYPE_UINT64: "uint64",
    Field.TYPE_INT32: "int32",
    Field.TYPE_ENUM: "int32",
    Field.TYPE_FLOAT: "float",
    Field.TYPE_DOUBLE: "double",
    Field.TYPE_STRING: "string",
    Field.TYPE_BYTES: "bytes",
}


def convolution():
    weight = numpy_helper.from_array(np.random.default_rng(1).normal(size=(4, 3, 3, 3)).astype(np.float32), "w")
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="conv", pads=[1, 1, 1, 1])
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4, 8, 8])
    graph = helper.make_graph([node], "g", [image], [output], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def functions():
    model = convolution()
    scale = helper.make_node("Constant", [], ["k"])
    scale.attribute.append(onnx.AttributeProto(name="value_float", type="FLOAT", ref_attr_name="scale"))
    body = [scale, helper.make_node("Mul", ["a", "k"], ["b"])]
    function = helper.make_function(
        "mine",
        "Scale",
        ["a"],
        ["b"],
        body,
        [helper.make_opsetid("", 18)],
        attribute_protos=[helper.make_attribute("scale", 2.0)],
        doc_string="a times scale",
        overload="first",
        value_info=[helper.make_tensor_value_info("k", TensorProto.FLOAT, [])],
    )
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    node = helper.make_node("Scale", ["y"], ["z"], domain="mine", overload="first", scale=3.0, limits=[2**63 - 1, -(2**63)])
    helper.set_model_props(model, {"source": "test"})
    node.metadata_props.add(key="note", value="a node's own")
    model.graph.node.append(node)
    return model


def element_types():
    model = convolution()
    for name, number in TensorProto.DataType.items():
        if number == TensorProto.UNDEFINED:
            continue
        values = [b"a", b"b"] if number == TensorProto.STRING else [1, 0]
        model.graph.initializer.append(helper.make_tensor(f"typed {name}", number, [2], values))
        if number != TensorProto.STRING:
            raw = TensorProto(name=f"raw {name}", data_type=number, dims=[2], raw_data=b"\x01\x02")
            model.graph.initializer.append(raw)
    return model


def sparse():
    model = convolution()
    values = helper.make_tensor("s", TensorProto.FLOAT, [2], [1.5, -2.5])
    indices = helper.make_tensor("", TensorProto.INT64, [2], [3, 2**62 + 1])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [2**40]))
    return model


def unknown():
    """Field 1000 in every message of a model."""
    model = functions()

    def add(message):
        for field, value in list(message.ListFields()):
            if field.message_type:
                for item in value if field.is_repeated else [value]:
                    add(item)
        message.MergeFromString(b"\xc0\x3e\x07\xc2\x3e\x03new")

    add(model)
    return model


def filled(variant):
    """A model in which every field of every message is set."""

    def fill(message, depth):
        for field in message.DESCRIPTOR.fields:
            choices = field.containing_oneof.fields if field.containing_oneof else [field]
            if choices[variant % len(choices)] is not field:
                continue
            target = getattr(message, field.name)
            if field.message_type and depth == 0:
                continue
            if field.message_type and field.is_repeated:
                for _ in range(2):
                    fill(target.add(), depth - 1)
            elif field.message_type:
                target.SetInParent()
                fill(target, depth - 1)
            elif field.is_repeated:
                target.extend([SAMPLES[field.type][i] for i in (variant % 3, 0)])
            else:
                setattr(message, field.name, SAMPLES[field.type][variant % 3])

    model = onnx.ModelProto()
    fill(model, 4)
    clear_external(model)
    return model


def clear_external(message):
    """Tensors that claim to lie in another file would be looked for there."""
    if isinstance(message, TensorProto):
        message.data_location = TensorProto.DEFAULT
    for field, value in list(message.ListFields()):
        if field.message_type:
            for item in value if field.is_repeated else [value]:
                clear_external(item)


SAMPLES = {
    Field.TYPE_INT64: [2**53 - 1, 0, -1],
    Field.TYPE_UINT64: [2**64 - 1, 0, 1],
    Field.TYPE_INT32: [-(2**31), 0, 1],
    Field.TYPE_ENUM: [1, 0, 1],
    Field.TYPE_FLOAT: [0.1, 0.0, float("inf")],
    Field.TYPE_DOUBLE: [0.1, 0.0, -1e300],
    Field.TYPE_STRING: ["naïve 図", "", "a"],
    Field.TYPE_BYTES: [b"\xff\x00", b"", b"a"],
}

if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
