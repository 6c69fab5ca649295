"""Stands in for Triton's onnxruntime backend, which is in no Python package: the same model, run by Python's onnxruntime.

Everything around it is Triton: its server reads the configuration, checks requests and responses, and makes the batches.
"""

import os
import sys
from pathlib import Path

# The server starts an interpreter that knows nothing of the environment.
sys.path += os.environ["LA_OOD_PACKAGES"].split(":")
import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    def initialize(self, args):
        path = Path(args["model_repository"]) / args["model_version"] / "model.onnx"
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def execute(self, requests):
        return [self.respond(request) for request in requests]

    def respond(self, request):
        names = request.requested_output_names()
        pixels = triton.get_input_tensor_by_name(request, "pixels").as_numpy()
        values = self.session.run(names, {"pixels": pixels})
        return triton.InferenceResponse([triton.Tensor(*output) for output in zip(names, values)])
