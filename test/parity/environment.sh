# To be sourced: the Python environment of the parity tests, made once in .venv or where LA_OOD_VENV says. pip keeps what
# it fetched, so that the next clone's is made without the network.
venv="${LA_OOD_VENV:-.venv}"
if [ ! -x "$venv/bin/python" ]; then python3 -m venv "$venv"; fi
"$venv/bin/python" -c 'import torch, sklearn, scipy, h5py, lmdb, pyarrow, onnx, onnxruntime, onnxscript, PIL, safetensors, transformers' 2>/dev/null ||
  "$venv/bin/pip" install --quiet torch==2.13.0 scikit-learn scipy h5py lmdb pyarrow onnx onnxruntime onnxscript 'pillow>=13' torchvision timm transformers safetensors
LA_OOD_PYTHON="$(cd "$venv/bin" && pwd)/python"
export LA_OOD_PYTHON
