"""A guarded model for engines that speak Python: what `la-ood score` does, on onnxruntime, NumPy and Pillow 13.

Images are read and resized as la-ood does it, byte for byte; everything else is in the model.
"""

import functools
import io
import json

import numpy as np
import onnxruntime
from PIL import Image

# The endings of files that la-ood takes for images, in lower case.
IMAGE_ENDINGS = ("jpg", "jpeg", "png", "webp", "gif")

# What is asked of every guarded model, and what explains its decision where it has that: a guard of two questions yields p-values
# of both and the condition, one by layers (all of version 0.1.0) the layer.
OUTPUTS = ("label", "ood_score", "p_value", "is_ood")
EXPLANATIONS = ("content_p_value", "conditions_p_value", "condition", "ood_layer")

UNLIKE = "unlike what it was taught"
BOTH = "content and conditions are both a little unusual"


class GuardedModel:
    """One onnxruntime session on one thread: an engine runs as many as it has cores.

    model: the file that `la-ood guard` wrote, as a path or as its bytes.
    """

    def __init__(self, model):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3  # It warns of the optional input, `threshold`.
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._metadata = self._session.get_modelmeta().custom_metadata_map
        if "la_ood.guard" not in self._metadata:
            raise ValueError("this is no guarded model; la-ood guard makes one of a run")
        (pixels,) = self._session.get_inputs()
        self._batch, *self._size, _ = pixels.shape
        yielded = {output.name for output in self._session.get_outputs()}
        self._outputs = [*OUTPUTS, *(name for name in EXPLANATIONS if name in yielded)]
        self.by_layers = "ood_layer" in yielded

    def rows(self, folder, paths, encoded):
        """The columns of `la-ood score --output scores.csv` of encoded images; `paths` are in `folder`, or below it."""
        images = np.stack([pixels(*image, self._size, self._metadata) for image in zip(paths, encoded)])
        # Where the batch size is fixed it is 1, else it is a name.
        step = self._batch if isinstance(self._batch, int) else len(images)
        runs = [
            self._session.run(self._outputs, {"pixels": images[start : start + step]})
            for start in range(0, len(images), step)
        ]
        outputs = dict(zip(self._outputs, map(np.concatenate, zip(*runs))))
        return columns(folder, paths, outputs, self._metadata)


# The same model, loaded once in a process, for engines that call functions and keep no objects.
load = functools.cache(GuardedModel)


def pixels(path, encoded, size, metadata):
    """The bytes that the model takes of an image, height × width × 3; `size` is height and width."""
    try:
        image = opaque(Image.open(io.BytesIO(encoded)), metadata.get("la_ood.background"))
    except OSError as error:
        raise ValueError(f"{path}: cannot be decoded: {error}") from error
    size = tuple(reversed(size))
    framing = framing_of(metadata)
    resample = Image.Resampling[metadata.get("la_ood.filter", "lanczos").upper()]
    image = image.resize(size_within(image.size, framing) if framing else size, resample)
    if image.size == size:
        return np.asarray(image)
    canvas = Image.new("RGB", size, tuple(framing.get("border", (0, 0, 0))))
    canvas.paste(image, tuple(-start(*sides, framing["place"]) for sides in zip(image.size, size)))
    return np.asarray(canvas)


def opaque(image, background):
    """An image without its alpha: on the background, if there is one; what GIF leaves open is never on it."""
    if background is None or image.format == "GIF" or not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    canvas = Image.new("RGB", image.size, tuple(json.loads(background)))
    canvas.paste(image, mask=image)
    return canvas


def framing_of(metadata):
    """How images are resized, and then cut or bordered; nothing where they are stretched to the model's size."""
    if "la_ood.framing" in metadata:
        return json.loads(metadata["la_ood.framing"])
    if "la_ood.shorter_side" not in metadata:
        return None
    # torchvision's Resize(side), then CenterCrop: what is smaller gets a black border.
    side = int(metadata["la_ood.shorter_side"])
    return {"fit": "cover", "to": {"height": side, "width": side}, "rounding": "truncate", "place": "middle"}


def size_within(size, framing):
    """The width and height that an image gets before it is cut or bordered; both here are widths and heights."""
    to = (framing["to"]["width"], framing["to"]["height"])
    if framing["fit"] == "stretch":
        return to
    ratios = [side / wanted for side, wanted in zip(size, to)]
    ratio = min(ratios) if framing["fit"] == "cover" else max(ratios)
    if framing["rounding"] == "round":
        return tuple(round(side / ratio) for side in size)
    # The side that decides is exactly as long as it should be.
    by_width = (size[0] * to[1] <= size[1] * to[0]) == (framing["fit"] == "cover")
    return (to[0], int(to[0] * size[1] / size[0])) if by_width else (int(to[1] * size[0] / size[1]), to[1])


def start(whole, part, place):
    """Where `part` of `whole` begins; below zero where it is larger."""
    spare = whole - part
    if place == "start":
        return 0
    if place == "middle-floor":
        return spare // 2
    return round(spare / 2) if spare >= 0 else -(-spare // 2)


def columns(folder, paths, outputs, metadata):
    """A column a list or array, an element an image. Numbers are float64, so that they are printed as la-ood does."""
    classes = dict(enumerate(json.loads(metadata.get("la_ood.classes", "[]"))))
    labels = outputs["label"]
    return {
        "set": [folder] * len(paths),
        "image": [f"{folder.rstrip('/')}/{name_in(folder, path)}" for path in paths],
        "label": labels,
        "class": [classes.get(label, "") for label in labels.tolist()],
        "ood_score": outputs["ood_score"].astype(np.float64),
        "p_value": outputs["p_value"].astype(np.float64),
        "is_ood": outputs["is_ood"],
        **explanation(outputs, metadata),
    }


def explanation(outputs, metadata):
    """The last columns: which layer is farthest from what is usual, or which question an image failed."""
    if "ood_layer" in outputs:
        layers = json.loads(metadata["la_ood.layers"])
        return {"layer": [layers[layer] for layer in outputs["ood_layer"]]}
    if "la_ood.questions" not in metadata:  # A guard by one published method.
        return {}
    questions = json.loads(metadata["la_ood.questions"])
    names = dict(enumerate(json.loads(metadata["la_ood.conditions"])))
    none = [None] * len(outputs["label"])

    def p_values(question):
        name = f"{question}_p_value" if len(questions) > 1 else "p_value"
        return outputs[name].astype(np.float64) if question in questions else none

    content, conditions = p_values("content"), p_values("conditions")
    named = [names.get(condition, "") for condition in np.asarray(outputs.get("condition", none)).tolist()]
    # p-values come as float32.
    rate = json.loads(metadata["la_ood.calibration"])["rate"] * (1 + 1e-6)
    return {
        "content_p_value": content,
        "conditions_p_value": conditions,
        "condition": named,
        "reason": [reason(*image, rate) for image in zip(outputs["is_ood"], content, conditions, named)],
    }


def reason(is_ood, content, conditions, condition, rate):
    """Why an image is called OOD, in a plain sentence; empty where it is not."""
    if not is_ood:
        return ""
    reasons = [UNLIKE] if content is not None and content <= rate else []
    if conditions is not None and conditions <= rate:
        reasons.append(f"{condition} than its training images" if condition else "unusual conditions")
    return "; ".join(reasons) or BOTH


def name_in(folder, path):
    """The path inside the folder, whichever of `s3://bucket/images`, `file:/images` and `/images` an engine writes."""
    place = folder.split("://")[-1].strip("/")
    return path.split(f"{place}/", 1)[1]
