"""torchvision's resnet50 with random weights, exported for images of any number.

imagenet-sized.py PATH SIZE
"""

import json
import sys

import torch

# torchvision's own operators (nms) are those of the PyTorch that it was built for; its models need none of them.
register = torch.library.register_fake
torch.library.register_fake = lambda name, *args, **kwargs: (
    (lambda function: function) if str(name).startswith("torchvision::") else register(name, *args, **kwargs)
)

import torchvision  # noqa: E402

path, size = sys.argv[1], int(sys.argv[2])
torch.manual_seed(0)
torch.onnx.export(
    torchvision.models.resnet50(weights=None).eval(),
    torch.zeros(1, 3, size, size),
    path,
    dynamo=False,
    input_names=["input"],
    output_names=["logits"],
    dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
    opset_version=17,
)
json.dump({}, sys.stdout)
