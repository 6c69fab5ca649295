"""What transformers' image processors and timm's transforms make of images, and the logits of a small network behind them.

preprocessing.py FOLDER   writes FOLDER/photos/*.png, 16 images of odd sizes, and for each case FOLDER/CASE/model.onnx with the
                          configuration beside it as the library saves it; prints each case's logits, image by image, and for
                          the processors of torchvision the largest difference of their pixels from those of Pillow
"""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

_register_fake = torch.library.register_fake


def register_fake(operator, *args, **options):
    """torchvision for another PyTorch has none of its own operators, and none of them is needed here."""
    if isinstance(operator, str) and operator.startswith("torchvision::"):
        return lambda function: function
    return _register_fake(operator, *args, **options)


torch.library.register_fake = register_fake

import timm.data  # noqa: E402

# Class, module, and what its configuration says beyond the class's own values.
PROCESSORS = {
    "beit": ("BeitImageProcessor", "beit", {}),
    "beit-cropped": ("BeitImageProcessor", "beit", {"do_center_crop": True, "size": 97, "crop_size": 64}),
    "bit": ("BitImageProcessor", "bit", {"size": {"shortest_edge": 75}, "crop_size": 64}),
    "clip": ("CLIPImageProcessor", "clip", {"size": 65, "crop_size": 65, "resample": 1}),
    "convnext-small": ("ConvNextImageProcessor", "convnext", {"size": {"shortest_edge": 64}}),
    "convnext-crop": ("ConvNextImageProcessor", "convnext", {"size": {"shortest_edge": 71}, "crop_pct": 0.95}),
    "convnext-large": ("ConvNextImageProcessor", "convnext", {}),
    "deit": ("DeiTImageProcessor", "deit", {"size": 73, "crop_size": 64}),
    "efficientnet": ("EfficientNetImageProcessor", "efficientnet", {"size": 64, "rescale_factor": 1 / 127.5, "rescale_offset": True}),
    "efficientnet-nearest": ("EfficientNetImageProcessor", "efficientnet", {"size": 64, "resample": 0, "include_top": False}),
    "levit": ("LevitImageProcessor", "levit", {"size": 64, "crop_size": 64}),
    "mobilenet-v1": ("MobileNetV1ImageProcessor", "mobilenet_v1", {"size": 81, "crop_size": 64}),
    "mobilenet-v2": ("MobileNetV2ImageProcessor", "mobilenet_v2", {"size": {"shortest_edge": 81}, "crop_size": 64}),
    "mobilevit": ("MobileViTImageProcessor", "mobilevit", {"size": 57, "crop_size": 64}),
    "mobilevit-rgb": ("MobileViTImageProcessor", "mobilevit", {"size": 74, "crop_size": 64, "do_flip_channel_order": False}),
    "poolformer": ("PoolFormerImageProcessor", "poolformer", {"size": 64, "crop_size": 64}),
    "poolformer-oblong": ("PoolFormerImageProcessor", "poolformer", {"size": {"height": 64, "width": 80}, "crop_size": {"height": 64, "width": 80}}),
    "pvt": ("PvtImageProcessor", "pvt", {"size": {"height": 64, "width": 96}}),
    "segformer": ("SegformerImageProcessor", "segformer", {"size": 64, "resample": 5}),
    "siglip": ("SiglipImageProcessor", "siglip", {"size": {"height": 64, "width": 64}}),
    "vit": ("ViTImageProcessor", "vit", {"size": 64}),
    "vit-box": ("ViTImageProcessor", "vit", {"size": 64, "resample": 4, "do_normalize": False}),
}

# `pretrained_cfg` of config.json.
TIMM = {
    "timm-defaults": {"interpolation": ""},
    "timm-center": {"input_size": [3, 64, 64], "crop_pct": 0.9, "interpolation": "bilinear"},
    "timm-oblong": {"input_size": [3, 64, 96], "crop_pct": 0.95, "interpolation": "bicubic"},
    "timm-squash": {"input_size": [3, 64, 64], "crop_pct": 0.9, "crop_mode": "squash", "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]},
    "timm-border": {"input_size": [3, 64, 64], "crop_pct": 1.0, "crop_mode": "border", "interpolation": "lanczos"},
    "timm-border-crop": {"input_size": [3, 64, 64], "crop_pct": 0.8, "crop_mode": "border", "interpolation": "hamming"},
}


def main(folder):
    folder = Path(folder)
    images = photos(folder / "photos")
    logits, apart = {}, {}
    for name, (kind, module, options) in PROCESSORS.items():
        pillow = getattr(importlib.import_module(f"transformers.models.{module}.image_processing_pil_{module}"), f"{kind}Pil")(**options)
        values = pillow(images, return_tensors="np")["pixel_values"]
        # As a person has it: what was said, with the class's name; the class's own values are not in it.
        save(folder / name, values.shape, {"preprocessor_config.json": {"image_processor_type": kind, **options}})
        logits[name] = run(folder / name, values)
        if options.get("resample") in (None, 1):
            torchvision = getattr(importlib.import_module(f"transformers.models.{module}.image_processing_{module}"), kind)(**options)
            same = torchvision(images, return_tensors="pt")["pixel_values"].numpy()
            apart[name] = float(np.abs(same - values).max() / np.abs(values).max())
        # And as the library saves it, with nulls.
        pillow.save_pretrained(folder / name / "saved")
    for name, cfg in TIMM.items():
        transform = timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=cfg), is_training=False)
        values = torch.stack([transform(image) for image in images]).numpy()
        save(folder / name, values.shape, {"config.json": {"architecture": "resnet18", "pretrained_cfg": {"tag": "x", **cfg}}})
        logits[name] = run(folder / name, values)
    return {"logits": logits, "apart": apart}


def photos(folder):
    """Smooth images with edges and noise, of odd sizes."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    images = []
    for i in range(16):
        height, width = random.integers(33, 420, 2) | 1
        coarse = Image.fromarray(random.integers(0, 256, (7, 9, 3), np.uint8)).resize((int(width), int(height)), Image.BICUBIC)
        pixels = np.asarray(coarse).astype(np.int64) + random.integers(-25, 26, (height, width, 3))
        pixels[height // 3 : height // 2, width // 4 : width // 2] = random.integers(0, 256, 3)
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        image.save(folder / f"{i:02}.png")
        images.append(image)
    return images


def save(folder, shape, files):
    """A convolution with a stride, its mean, and ten scores."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    weights = {"conv": (8, 3, 5, 5), "fc": (10, 8)}
    constants = [numpy_helper.from_array(random.normal(0, 0.3, shape).astype(np.float32), name) for name, shape in weights.items()]
    nodes = [
        helper.make_node("Conv", ["image", "conv"], ["features"], strides=[3, 3]),
        helper.make_node("Relu", ["features"], ["active"]),
        helper.make_node("GlobalAveragePool", ["active"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "fc"], ["logits"], transB=1),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", *shape[1:]])
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])
    graph = helper.make_graph(nodes, "small", [image], [output], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx")
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))


def run(folder, values):
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"image": values.astype(np.float32)})[0].astype(np.float64).tolist()


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
