"""Training steps in PyTorch eager on random images in memory. Takes a JSON object; prints the seconds of all steps but a
first one that is not counted, and the resident memory at most, in MiB."""

import json
import pathlib
import resource
import sys
import time

import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "parity"))
from backbones import NETWORKS

task = json.loads(sys.argv[1])
torch.set_num_threads(task["threads"])
torch.manual_seed(0)
network = NETWORKS[task["name"]](task["classes"]).train()
network.load_state_dict(torch.load(task["checkpoint"], weights_only=True))
optimiser = torch.optim.SGD(network.parameters(), lr=task["rate"], momentum=0.9, weight_decay=1e-4)
images = torch.randn(task["batch"], 3, 32, 32)
labels = torch.randint(task["classes"], (task["batch"],))


def step():
    loss = F.cross_entropy(network(images), labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


step()
start = time.perf_counter()
for _ in range(task["steps"]):
    step()
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
