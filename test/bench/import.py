"""Importing a checkpoint in Python: import.py make NAME FILE; import.py run NAME FILE OUT.onnx

`run` loads the file, puts it into its network, and exports that to ONNX; prints seconds and the peak of memory in bytes.
"""

import json
import resource
import sys
import time

import torch

register = torch.library.register_fake
torch.library.register_fake = lambda name, *args, **kwargs: (
    (lambda function: function) if str(name).startswith("torchvision::") else register(name, *args, **kwargs)
)

import torchvision  # noqa: E402

command, name, file, *rest = sys.argv[1:]
if command == "make":
    torch.manual_seed(0)
    torch.save(torchvision.models.get_model(name).state_dict(), file)
    print("null")
else:
    start = time.perf_counter()
    network = torchvision.models.get_model(name)
    network.load_state_dict(torch.load(file, weights_only=True))
    torch.onnx.export(network.eval(), (torch.zeros(1, 3, 224, 224),), rest[0], dynamo=False)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
